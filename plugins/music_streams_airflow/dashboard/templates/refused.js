// Airflow 3.0 keeps the login in the browser's storage, from where it does not come with the request for a page:
// hand it on as a cookie of the dashboard's addresses alone, once, and ask again.
const token = localStorage.getItem("token");
const known = document.cookie.split("; ").includes(`_token=${token}`);
if (token && /^[\w.-]+$/.test(token) && !known) {
  const path = document.documentElement.dataset.root;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `_token=${token}; Path=${path}; SameSite=Strict${secure}`;
  location.reload();
}

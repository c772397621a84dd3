// Airflow 3.0 keeps the token in the browser's storage, which the browser does not send with a page request.
// Store it in a cookie for the dashboard's path only, and reload once.
const token = localStorage.getItem("token");
const known = document.cookie.split("; ").includes(`_token=${token}`);
if (token && /^[\w.-]+$/.test(token) && !known) {
  const path = document.documentElement.dataset.root;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `_token=${token}; Path=${path}; SameSite=Strict${secure}`;
  location.reload();
}

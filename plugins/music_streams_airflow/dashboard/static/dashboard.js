// Draws the charts, and starts DAG runs in Airflow. Stores nothing, and sends nothing elsewhere.
"use strict";

// ---- charts: series differ by dashes, points and patterns too, for readers who do not see colours

const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
const POINTS = ["circle", "rectRot", "triangle", "rect"];

function themeColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Fill number 0 with the colour; hatch the others, each differently, on the card's background. */
function pattern(number, colour) {
  if (number === 0) return colour;
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const pen = tile.getContext("2d");
  pen.fillStyle = themeColour("--card");
  pen.fillRect(0, 0, 8, 8);
  pen.strokeStyle = pen.fillStyle = colour;
  pen.lineWidth = 2;
  const lines = {
    1: [[-2, 10, 10, -2], [-6, 6, 6, -6], [2, 14, 14, 2]],
    2: [[-2, -2, 10, 10], [-6, 2, 6, 14], [2, -6, 14, 6]],
    3: [[0, 4, 8, 4]],
    4: [[4, 0, 4, 8]],
    5: [[0, 4, 8, 4], [4, 0, 4, 8]],
  }[number];
  if (!lines) pen.fillRect(2, 2, 3, 3);
  for (const [x, y, toX, toY] of lines || []) {
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(toX, toY);
    pen.stroke();
  }
  return pen.createPattern(tile, "repeat");
}

function dataset(series) {
  const isLimit = series.style === "limit";
  const colour = themeColour(isLimit ? "--bad" : `--s${Math.min(Number(series.style) || 0, 6)}`);
  const common = { label: series.name, data: series.values, type: series.kind, borderColor: colour };
  if (series.style === "ground") return { ...common, backgroundColor: themeColour("--accent-soft"), borderWidth: 0, order: 2 };
  if (series.kind === "bar") {
    return { ...common, backgroundColor: pattern(series.style, colour), borderWidth: 1, order: 2 };
  }
  return {
    ...common,
    backgroundColor: themeColour("--card"),
    borderWidth: isLimit ? 1.5 : 2,
    borderDash: isLimit ? [3, 4] : DASHES[series.style % DASHES.length],
    pointStyle: isLimit ? false : POINTS[series.style % POINTS.length],
    pointRadius: 3,
    tension: 0,
    order: 1,
  };
}

function formatted(chart, value) {
  if (value === null || value === undefined) return "–";
  const number = value.toLocaleString("en-GB", { maximumFractionDigits: 1 });
  return ["%", "s"].includes(chart.unit) ? `${number} ${chart.unit}` : number;
}

function draw(canvas, chart) {
  const text = { color: themeColour("--soft"), font: { size: 12 } };
  return new Chart(canvas, {
    type: "bar",
    data: { labels: chart.ticks.length ? chart.ticks : chart.labels, datasets: chart.series.map(dataset) },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      plugins: {
        legend: {
          display: chart.series.length > 1,
          align: "start",
          labels: { ...text, usePointStyle: false, boxWidth: 26, boxHeight: 9 },
        },
        tooltip: {
          callbacks: {
            title: (items) => chart.labels[items[0].dataIndex],
            label: (item) => `${item.dataset.label}: ${formatted(chart, item.raw)}`,
          },
        },
      },
      scales: {
        x: { stacked: chart.stacked, grid: { display: false }, ticks: { ...text, maxRotation: 0, autoSkipPadding: 12 } },
        y: {
          stacked: chart.stacked,
          beginAtZero: true,
          max: chart.top === null ? undefined : chart.top,
          grid: { color: themeColour("--line") },
          border: { display: false },
          ticks: { ...text, precision: 0, maxTicksLimit: 6, callback: (value) => formatted(chart, value) },
        },
      },
    },
  });
}

function drawAll() {
  for (const figure of document.querySelectorAll(".chart-box")) {
    const data = figure.querySelector("script[type='application/json']");
    if (!data) continue;
    const canvas = figure.querySelector("canvas");
    Chart.getChart(canvas)?.destroy();
    draw(canvas, JSON.parse(data.textContent));
  }
}

if (window.Chart) {
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  drawAll();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
}

// ---- actions: DAG runs, with the login and the permissions that the user has in Airflow

const airflow = document.body.dataset.airflow;

function login() {
  // Airflow 3.0 does not read the cookie that login_required.js sets, so send its token in the header.
  const cookie = document.cookie.split("; ").find((pair) => pair.startsWith("_token="));
  return cookie ? { Authorization: `Bearer ${cookie.slice("_token=".length)}` } : {};
}

async function callAirflow(path, body) {
  const response = await fetch(`${airflow}/api/v2${path}`, {
    method: body ? "POST" : "GET",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", ...login() },
    body: body && JSON.stringify(body),
  });
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(errorMessage(response.status, content.detail));
  return content;
}

function errorMessage(status, detail) {
  const detailText = typeof detail === "string" ? detail : JSON.stringify(detail ?? "");
  const reason = {
    401: "your login has expired: reload the page",
    403: "you have no permission to start runs of this DAG",
    404: "the DAG does not exist: check Airflow's import errors",
  }[status];
  return [`Airflow rejected the request (${status})`, reason, detailText].filter(Boolean).join(": ");
}

async function trigger(button) {
  const place = button.closest(".actions").querySelector(".answer");
  const dag = button.dataset.trigger;
  button.disabled = true;
  place.className = "answer";
  place.textContent = "Starting the run …";
  try {
    const run = await callAirflow(`/dags/${dag}/dagRuns`, { logical_date: null, conf: JSON.parse(button.dataset.conf) });
    const link = document.createElement("a");
    link.href = `${airflow}/dags/${dag}/runs/${encodeURIComponent(run.dag_run_id)}`;
    link.dataset.airflowPage = "";
    link.textContent = run.dag_run_id;
    place.replaceChildren("Started: ", link);
    const { is_paused: isPaused } = await callAirflow(`/dags/${dag}`);
    if (isPaused) place.append(". The DAG is paused: the run starts when you unpause it.");
  } catch (error) {
    place.className = "answer bad";
    place.append(place.querySelector("a") ? ". " : "");
    if (!place.querySelector("a")) place.replaceChildren();
    place.append(error instanceof TypeError ? "Airflow did not answer. Try again." : error.message);
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-trigger]");
  if (button) trigger(button);
  const link = event.target.closest("a[data-airflow-page]");
  if (link && window.top !== window) {
    // Airflow's sandboxed frame cannot navigate the page, but a link in the page itself can.
    event.preventDefault();
    const outer = window.top.document.createElement("a");
    outer.href = link.href;
    outer.click();
  }
});

// Draws the charts, and asks Airflow for DAG runs. Nothing is kept, nothing is sent elsewhere.
"use strict";

// ---- charts: told apart by dashes, points and patterns too, for those who see no colours

const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
const POINTS = ["circle", "rectRot", "triangle", "rect"];

function tone(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Number 0 is filled, the others are hatched, each in its own way, on the ground of the card. */
function pattern(number, colour) {
  if (number === 0) return colour;
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const pen = tile.getContext("2d");
  pen.fillStyle = tone("--card");
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
  const colour = tone(isLimit ? "--bad" : `--s${Math.min(Number(series.style) || 0, 6)}`);
  const common = { label: series.name, data: series.values, type: series.kind, borderColor: colour };
  if (series.style === "ground") return { ...common, backgroundColor: tone("--accent-soft"), borderWidth: 0, order: 2 };
  if (series.kind === "bar") {
    return { ...common, backgroundColor: pattern(series.style, colour), borderWidth: 1, order: 2 };
  }
  return {
    ...common,
    backgroundColor: tone("--card"),
    borderWidth: isLimit ? 1.5 : 2,
    borderDash: isLimit ? [3, 4] : DASHES[series.style % DASHES.length],
    pointStyle: isLimit ? false : POINTS[series.style % POINTS.length],
    pointRadius: 3,
    tension: 0,
    order: 1,
  };
}

function told(chart, value) {
  if (value === null || value === undefined) return "–";
  const number = value.toLocaleString("en-GB", { maximumFractionDigits: 1 });
  return ["%", "s"].includes(chart.unit) ? `${number} ${chart.unit}` : number;
}

function draw(canvas, chart) {
  const text = { color: tone("--soft"), font: { size: 12 } };
  return new Chart(canvas, {
    type: "bar",
    data: { labels: chart.ticks.length ? chart.ticks : chart.labels, datasets: chart.series.map(dataset) },
    options: {
      animation: false, // numbers do not dance
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
            label: (item) => `${item.dataset.label}: ${told(chart, item.raw)}`,
          },
        },
      },
      scales: {
        x: { stacked: chart.stacked, grid: { display: false }, ticks: { ...text, maxRotation: 0, autoSkipPadding: 12 } },
        y: {
          stacked: chart.stacked,
          beginAtZero: true,
          max: chart.top === null ? undefined : chart.top,
          grid: { color: tone("--line") },
          border: { display: false },
          ticks: { ...text, precision: 0, maxTicksLimit: 6, callback: (value) => told(chart, value) },
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

// ---- acting: by DAG runs alone, with the login and the rights that the user has in Airflow

const airflow = document.body.dataset.airflow;

function login() {
  // A cookie that a script can read is one that Airflow 3.0 does not look at: it wants the header.
  const cookie = document.cookie.split("; ").find((each) => each.startsWith("_token="));
  return cookie ? { Authorization: `Bearer ${cookie.slice("_token=".length)}` } : {};
}

async function ask(path, body) {
  const answer = await fetch(`${airflow}/api/v2${path}`, {
    method: body ? "POST" : "GET",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", ...login() },
    body: body && JSON.stringify(body),
  });
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(refusal(answer.status, content.detail));
  return content;
}

function refusal(status, detail) {
  const said = typeof detail === "string" ? detail : JSON.stringify(detail ?? "");
  const why = {
    401: "you are not logged in any more: load the page again",
    403: "you may not start runs of this DAG",
    404: "Airflow does not know the DAG: is it read without errors?",
  }[status];
  return [`Airflow refused (${status})`, why, said].filter(Boolean).join(": ");
}

async function trigger(button) {
  const place = button.closest(".actions").querySelector(".answer");
  const dag = button.dataset.trigger;
  button.disabled = true;
  place.className = "answer";
  place.textContent = "Asking Airflow …";
  try {
    const run = await ask(`/dags/${dag}/dagRuns`, { logical_date: null, conf: JSON.parse(button.dataset.conf) });
    const link = document.createElement("a");
    link.href = `${airflow}/dags/${dag}/runs/${encodeURIComponent(run.dag_run_id)}`;
    link.dataset.airflowPage = "";
    link.textContent = run.dag_run_id;
    place.replaceChildren("Asked for: ", link);
    const { is_paused: isPaused } = await ask(`/dags/${dag}`);
    if (isPaused) place.append(". The DAG is paused: the run waits until somebody unpauses it.");
  } catch (error) {
    place.className = "answer bad";
    place.append(place.querySelector("a") ? ". " : "");
    if (!place.querySelector("a")) place.replaceChildren();
    place.append(error instanceof TypeError ? "Airflow did not answer: try again." : error.message);
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-trigger]");
  if (button) trigger(button);
  const link = event.target.closest("a[data-airflow-page]");
  if (link && window.top !== window) {
    // Inside Airflow's frame, which lets nothing leave it: a link of Airflow's own page does.
    event.preventDefault();
    const outer = window.top.document.createElement("a");
    outer.href = link.href;
    outer.click();
  }
});

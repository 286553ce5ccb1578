// The parts of a report (HealthReport), each put into its place of the page.

const VERDICTS = {
  healthy: {word: "Healthy", mark: "✓", kind: "good", meaning: "Alerts are delivered."},
  degraded: {word: "Degraded", mark: "!", kind: "warn", meaning: "At least one problem needs attention."},
  unhealthy: {word: "Unhealthy", mark: "✕", kind: "bad", meaning: "Nothing is delivered, or an actor hangs."},
};
const STATES = {
  connected: "good", running: "good", restarting: "warn", "not connected": "warn", absent: "plain", off: "plain", finished: "plain",
  unavailable: "bad", hanging: "bad",
};

function showReport(report) {
  put("version", report.version);
  const memory = report.resident_bytes === null ? "" : `, ${toldBytes(report.resident_bytes)} of memory`;
  put("process", `up ${toldDuration(report.uptime_seconds)}${memory}`);
  showCounts(report.counts);
  showDelivery(report.delivery);
  showReading(report.reading);
  showCheckpoint(report.checkpoint, report.reading);
  showFeedback(report.feedback);
  fill("problems", listed(report.problems));
  show("problems", report.problems.length > 0);
  fill("actors", report.actors.flatMap((actor) => actorRows(actor, report.time)));
  fill("mailboxes", report.mailboxes.map(mailboxRow));
}

function showVerdict({word, mark, kind, meaning}) {
  element("verdict").dataset.kind = kind;
  put("mark", mark);
  put("verdict-word", word);
  put("verdict-meaning", meaning);
  document.title = `${word} · wazuh-dfn`;
  const colour = {good: "1a7f37", warn: "bf8700", bad: "cf222e", stale: "6e7781"}[kind];
  const icon = `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'><circle cx='4' cy='4' r='4' fill='%23${colour}'/></svg>`;
  if (element("icon").getAttribute("href") !== icon) element("icon").setAttribute("href", icon);
}

function listed(texts) {
  return texts.map((text) => make("li", {text}));
}

function showCounts(counts) {
  for (const key of ["lines_read", "not_relevant", "odd", "delivered", "dead_lettered", "in_flight"]) put(key, toldNumber(counts[key]));
  element("dead-letters").classList.toggle("attention", counts.dead_lettered > 0);
  tag("balance", counts.balanced ? "balanced" : "not balanced", counts.balanced ? "good" : "bad");
}

function showDelivery(delivery) {
  tag("delivery-state", delivery.state, STATES[delivery.state]);
  putIfAny("delivery-problem", [delivery.problem, delivery.remedy].filter(Boolean).join("; "));
  put("acknowledgement", toldAge(delivery.seconds_since_acknowledgement));
  put("delay-median", toldDuration(delivery.delay_seconds_median));
  put("delay-p95", toldDuration(delivery.delay_seconds_p95));
  put("batch", toldDuration(delivery.batch_seconds_median));
  const ends = Object.entries(delivery.certificates).map(([whose, at]) => `${whose} until ${at.slice(0, 10)}`);
  putIfAny("certificates", ends.join(", "), true);
}

function showReading(reading) {
  tag("lag-tag", reading.lag_bytes ? `${toldBytes(reading.lag_bytes)} behind` : reading.lag_bytes === 0 ? "up to date" : "", "plain");
  fill("reading-problems", listed(reading.problems));
  show("reading-problems", reading.problems.length > 0);
  put("file", reading.file ?? NOTHING);
  putBytes("read-to", reading.read_to);
  putBytes("lag", reading.lag_bytes);
  putIfAny("unnamed", reading.unnamed_bytes ? `${toldBytes(reading.unnamed_bytes)}, lost if the daemon crashes` : null, true);
}

function showCheckpoint(checkpoint, reading) {
  const sameFile = (reading.acked_through_file ?? reading.file) === reading.file;
  const isSavedThere = [null, undefined, reading.acked_through_file ?? reading.file].includes(checkpoint.saved_file);
  const unsaved = isSavedThere ? difference(reading.acked_through, checkpoint.saved_offset) : null;
  tag("checkpoint-tag", unsaved ? `${toldBytes(unsaved)} behind` : unsaved === 0 ? "up to date" : "", "plain");
  putIfAny("checkpoint-problem", checkpoint.problem);
  put("saved", toldAge(checkpoint.seconds_since_save), checkpoint.saved_offset === null ? "" : `at byte ${toldNumber(checkpoint.saved_offset)}`);
  putBytes("unsaved", unsaved);
  putBytes("unsettled", sameFile ? difference(reading.read_to, reading.acked_through) : null);
}

// Null where it can't be told: a position is unknown, or they belong to different files.
function difference(later, earlier) {
  return later === null || earlier === null || later < earlier ? null : later - earlier;
}

function putBytes(id, value) {
  put(id, toldBytes(value), value === null ? "" : `${toldNumber(value)} bytes`);
}

function showFeedback(feedback) {
  tag("feedback-state", feedback.state, STATES[feedback.state]);
  putIfAny("feedback-problem", feedback.problem);
  put("feedback-sent", toldNumber(feedback.sent));
  put("feedback-dropped", toldNumber(feedback.dropped));
}

function actorRows(actor, now) {
  const state = make("span", {class: "tag", "data-kind": STATES[actor.state] ?? "plain", text: actor.state});
  const rows = [make("tr", {of: [
    make("th", {scope: "row", text: actor.name}), make("td", {of: [state]}), make("td", {class: "number", text: toldNumber(actor.restarts)}),
  ]})];
  if (actor.last_failure) {
    const age = actor.last_failure_at ? ` ${toldAge((Date.parse(now) - Date.parse(actor.last_failure_at)) / 1000)}` : "";
    rows.push(make("tr", {class: "failure", of: [make("td", {colspan: 3, text: `last failed${age}: ${actor.last_failure}`})]}));
  }
  return rows;
}

function mailboxRow({name, depth, capacity}) {
  const bar = drawn("svg", {class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true", of: [
    drawn("rect", {class: "room", width: 100, height: 10}),
    drawn("rect", {class: depth >= capacity ? "filled full" : "filled", width: Math.min(100, 100 * depth / capacity), height: 10}),
  ]});
  return make("tr", {of: [
    make("th", {scope: "row", text: name}), make("td", {class: "wide", of: [bar]}), make("td", {class: "number", text: `${depth} of ${capacity}`}),
  ]});
}

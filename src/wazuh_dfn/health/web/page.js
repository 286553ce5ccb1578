// Asking for the report again and again, and telling when it can't be had.

const POLL_MS = 3000;
const PATIENCE_MS = 5000;
const TOKEN = "wazuh-dfn-token";

let lastReport = null; // {report, at}: what is shown, and since when
let timer = 0;

class NoReport extends Error {}
class TokenWanted extends NoReport {}

async function fetchReport() {
  const token = sessionStorage.getItem(TOKEN);
  const headers = {Accept: "application/json", ...(token && {Authorization: `Bearer ${token}`})};
  let response;
  try {
    response = await fetch("health/detailed", {headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS)});
  } catch {
    throw new NoReport("The daemon does not answer. Check that it is running: systemctl status wazuh-dfn.");
  }
  if (response.status === 401) throw new TokenWanted(token ? "The token was refused." : "");
  if (response.status === 403) throw new NoReport("The daemon refuses requests from this address. Add it to health.api.allowed_ips.");
  if (response.status === 429) throw new NoReport("Too many requests. The daemon answers again soon. health.api.rate_limit sets the limit.");
  const report = await response.json().catch(() => null);
  if (!VERDICTS[report?.status]) throw new NoReport(`No report, HTTP status ${response.status}. Check that the daemon is running: systemctl status wazuh-dfn.`);
  return report;
}

async function poll() {
  clearTimeout(timer);
  try {
    const report = await fetchReport();
    lastReport = {report, at: Date.now()};
    show("token-form", false);
    tellNotice("");
    show("report", true);
    showReport(report);
    showVerdict(VERDICTS[report.status]);
    setHistory(report.history);
  } catch (failure) {
    if (failure instanceof TokenWanted) return askForToken(failure.message);
    if (!(failure instanceof NoReport)) console.error(failure);
    tellNotice(failure instanceof NoReport ? failure.message : "This page cannot show the daemon's report. Reload the page.");
  } finally {
    tellAge();
  }
  clearTimeout(timer);
  timer = setTimeout(poll, POLL_MS);
}

function tellNotice(text) {
  putIfAny("notice-text", text);
  show("notice", Boolean(text));
  document.body.classList.toggle("stale", Boolean(lastReport) && (Boolean(text) || !element("token-form").hidden));
}

function tellAge() {
  if (!lastReport) return put("notice-age", "");
  const isStale = document.body.classList.contains("stale");
  const age = toldDuration(Math.round((Date.now() - lastReport.at) / 1000));
  put("as-of", `${isStale ? "last known" : "as of"} ${toldClock(lastReport.at)}`);
  put("notice-age", isStale ? `This report is ${age} old.` : "");
  if (isStale) {
    const last = VERDICTS[lastReport.report.status].word.toLowerCase();
    showVerdict({word: "Unknown", mark: "?", kind: "stale", meaning: `The last known state is ${last}.`});
  }
}

function askForToken(refusal) {
  sessionStorage.removeItem(TOKEN);
  put("token-refused", refusal);
  if (element("token-form").hidden) {
    show("token-form", true);
    element("token").focus();
  }
  tellNotice("");
}

element("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, element("token").value);
  element("token").value = "";
  poll();
});
document.addEventListener("visibilitychange", () => document.hidden || !element("token-form").hidden || poll());
setInterval(tellAge, 1000);
watchPlot();
poll();

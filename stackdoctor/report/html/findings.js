// Every finding, by kind, with its records folded; what is shown is chosen by node, system, severity and text.

const wanted = { nodes: [], system: "", severities: new Set(SEVERITIES), text: "", scope: "" };
const unbuilt = new WeakMap();
const systemOf = (finding) => finding.id.split(".")[0];

function showFindings() {
  const section = document.getElementById("findings");
  const systems = [...new Set(DATA.findings.map(systemOf))].sort();
  const nodes = [...new Set(DATA.findings.map(nodeOf))].filter(Boolean).sort();
  const option = (value, text) => el("option", { value }, text);
  section.append(el("h2", { id: "findings-title" }, "Findings"),
    el("form", { id: "filter", role: "search", "aria-label": "Filter the findings", submit: (event) => event.preventDefault(), input: read, reset: () => setTimeout(read) },
      el("label", {}, "Node ", el("input", { name: "nodes", list: "node-names", placeholder: "all, or a,b", autocomplete: "off", spellcheck: "false" })),
      el("datalist", { id: "node-names" }, nodes.slice(0, 2000).map((name) => option(name))),
      el("label", {}, "System ", el("select", { name: "system" }, option("", "all"), systems.map((name) => option(name, name)))),
      el("label", {}, "Text ", el("input", { name: "text", type: "search", autocomplete: "off", spellcheck: "false" })),
      el("label", {}, "Show ", el("select", { name: "scope" }, option("", "all"), option("open", "unexplained"),
        DATA.causes.slice(0, 50).map((cause, i) => option(`cause-${i}`, `explained by ${i + 1}: ${cut(cause.title, 50)}`)))),
      el("fieldset", {}, el("legend", {}, "Severity"), SEVERITIES.map((severity) =>
        el("label", { class: "tick-box" }, el("input", { type: "checkbox", name: "severity", value: severity, checked: true }), pill(severity)))),
      el("button", { type: "reset" }, "Show all")),
    el("p", { id: "shown", role: "status" }), el("div", { id: "list" }));
  list();
}

function read() {
  const form = document.getElementById("filter").elements;
  wanted.nodes = form.nodes.value.split(/[\s,]+/).filter(Boolean);
  wanted.system = form.system.value;
  wanted.text = form.text.value.toLowerCase();
  wanted.scope = form.scope.value;
  wanted.severities = new Set([...form.severity].filter((box) => box.checked).map((box) => box.value));
  list();
}

// from elsewhere on the page: these and nothing else
function showOnly({ nodes = [], text = "", scope = "" }) {
  const form = document.getElementById("filter");
  form.reset();
  form.elements.nodes.value = nodes.join(",");
  form.elements.text.value = text;
  form.elements.scope.value = scope;
  read();
  const section = document.getElementById("findings");
  section.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  section.focus({ preventScroll: true });
}

function chosenFindings() {
  const names = new Set(wanted.nodes);
  const open = new Set(DATA.unexplained);
  const match = /^cause-(\d+)$/.exec(wanted.scope);
  const only = wanted.scope === "open" ? open : match ? new Set(DATA.causes[Number(match[1])].explains) : null;
  return DATA.findings.map((finding, i) => [finding, i]).filter(([finding, i]) =>
    (!names.size || names.has(nodeOf(finding))) && (!wanted.system || systemOf(finding) === wanted.system) &&
    wanted.severities.has(finding.sev) && (!only || only.has(i)) &&
    (!wanted.text || `${finding.id}\n${finding.subject}\n${finding.message}\n${Object.values(finding.keys).join("\n")}`.toLowerCase().includes(wanted.text)));
}

function list() {
  const chosen = chosenFindings();
  const groups = new Map();
  for (const [finding] of chosen) {
    if (!groups.has(finding.id)) groups.set(finding.id, []);
    groups.get(finding.id).push(finding);
  }
  const sorted = [...groups.entries()].sort((a, b) => severityRank(worstOf(b[1].map((f) => f.sev))) - severityRank(worstOf(a[1].map((f) => f.sev))));
  document.getElementById("shown").textContent = `${chosen.length} of ${counted(DATA.findings.length, "finding")} shown`;
  const container = document.getElementById("list");
  container.replaceChildren();
  inParts(sorted, ([id, findings]) => groupOf(id, findings), container);
}

function groupOf(id, findings) {
  const nodes = [...new Set(findings.map(nodeOf).filter(Boolean))];
  const worst = worstOf(findings.map((finding) => finding.sev));
  const total = findings.reduce((sum, finding) => sum + finding.count, 0);
  const last = findings.reduce((latest, finding) => (finding.last !== null && finding.last > latest ? finding.last : latest), 0);
  const group = el("details", { class: `group ${worst}` },
    el("summary", {}, pill(worst), el("b", {}, ` ${id} `), el("span", { class: "dim" },
      `${total > 1 ? `${total} × ` : ""}${nodes.length ? `on ${named(nodes)}` : ""}${last ? `, last ${clock(last)}` : ""}`),
    el("span", { class: "message" }, findings[0].message)));
  unbuilt.set(group, () => inParts(findings, one, group));
  group.addEventListener("toggle", () => build(group), { once: true });
  return group;
}

// what is folded is made when it is unfolded: a large cloud has more findings than a page can hold at once
function build(details) {
  const make = unbuilt.get(details);
  unbuilt.delete(details);
  if (make) make();
}

function one(finding) {
  const keys = Object.entries(finding.keys).map(([key, value]) => `${key} ${value}`).join(", ");
  const times = finding.first === null ? "" : finding.first === finding.last ? clock(finding.first) : `${clock(finding.first)} to ${clock(finding.last)}`;
  return el("div", { class: "finding" },
    el("p", {}, nodeOf(finding) ? el("b", {}, `${nodeOf(finding)}: `) : null, finding.message),
    el("p", { class: "dim" }, [finding.count > 1 ? `${finding.count} ×` : "", times, keys].filter(Boolean).join(" · ")),
    finding.evidence.map((lineOf) => record(lineOf)),
    finding.more > 0 ? el("p", { class: "dim" }, `${counted(finding.more, "more record")}: stackdoctor diagnose --format json has them all`) : null);
}

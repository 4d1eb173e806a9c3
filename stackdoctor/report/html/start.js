// What is over, set aside or was not looked at, the nodes, and the beginning of it all.

function folded(name, number, ...children) {
  return number ? el("details", { class: "card fold" }, el("summary", {}, el("h2", {}, `${name} (${number})`)), children) : null;
}

function showRest() {
  const troubled = [...DATA.nodes].sort((a, b) => (a.status === "ok") - (b.status === "ok"));
  const looked = el("div", {});
  const body = el("div", {});
  document.getElementById("rest").append(...[
    folded("Earlier in this window", DATA.history.length, el("ul", {}, DATA.history.slice(0, 200).map((cause) =>
      el("li", {}, el("b", {}, cause.title), ` · ${cause.episodes.map(([begin, end]) => `${clock(begin)}–${clock(end)}`).slice(-6).join(", ")}${cause.state === "flapping" ? " · flapping" : ""} · over`)))),
    folded("Silenced", DATA.silenced.length + DATA.expired.length, el("ul", {},
      DATA.silenced.map((rule) => el("li", {}, `${rule.rule}${rule.term}: ${rule.reason}`, el("ul", {}, rule.messages.map((text) => el("li", {}, text))))),
      DATA.expired.map((rule) => el("li", {}, `${rule}: expired, silences nothing`)))),
    folded("Not looked at", DATA.gaps.length, el("ul", {}, DATA.gaps.map((gap) =>
      el("li", {}, el("b", {}, named(gap.checks)), gap.nodes.length ? ` on ${gap.nodes.join(", ")}${gap.more ? ` and ${gap.more} more` : ""}` : "", `: ${gap.why}`)))),
    folded("Checks made", DATA.outcomes.reduce((sum, group) => sum + group.checks.length, 0), inParts(DATA.outcomes, outcome, looked)),
    folded("Nodes", DATA.nodes.length, inParts(troubled, (node) => el("p", { class: `node ${node.status}` }, el("b", {}, node.name),
      ` ${node.address} · ${node.roles.join(", ") || "no role known"} · ${node.status}`, node.reason ? `: ${node.reason}` : "",
      node.clock === null ? "" : ` · its clock is ${Math.abs(node.clock)} s ${node.clock > 0 ? "ahead of" : "behind"} ours`), body)),
  ].filter(Boolean));
  const foot = document.getElementById("foot");
  for (const line of DATA.receipt) foot.append(el("p", { class: "receipt" }, line));
  foot.append(`stackdoctor ${DATA.version} · ${DATA.when} · ${DATA.source} · ${counted(DATA.nodes.length, "node")} in ${DATA.seconds} s · `
    + `${counted(DATA.findings.length, "finding")} · ${counted(DATA.missed, "check")} not made · times are UTC on the clock of the machine that looked, in records each node's own`);
}

// what became of checks that fared alike
const OUTCOMES = { found: "found something", missed: "not looked at", fine: "fine", nothing: "nothing of it" };

function outcome(group) {
  const said = Object.keys(OUTCOMES).filter((word) => group[word][0]).map((word) => {
    const [number, nodes] = group[word];
    const more = number > nodes.length ? ` and ${number - nodes.length} more` : "";
    return `${OUTCOMES[word]} on ${nodes.map((name) => name || "the cloud as a whole").join(", ")}${more}`;
  });
  return el("p", { class: "outcome" }, el("b", {}, named(group.checks, 12)), ` · ${said.join("; ") || "asked nobody"}`);
}

// on paper everything is unfolded, as far as that stays readable
function unfoldForPaper() {
  const opened = [];
  const all = () => [...document.querySelectorAll("details:not([open])")].slice(0, 400);
  addEventListener("beforeprint", () => {
    // what is made by unfolding has folded parts itself
    for (let depth = 0; depth < 3; depth += 1) {
      for (const details of all()) {
        build(details);
        details.open = true;
        opened.push(details);
      }
    }
  });
  addEventListener("afterprint", () => { for (const details of opened.splice(0)) details.open = false; });
}

showVerdict();
showCauses();
showFindings();
showPicture();
showTimeline();
showRest();
unfoldForPaper();
document.documentElement.dataset.ready = "yes";

// The verdict, and each root cause: what it is, how it led to the symptoms, what to do.

const place = (where) => Object.entries(where).map(([key, value]) => `${key} ${value}`).join(" · ");

function since(cause) {
  if (cause.state === "flapping") return `flapping: it came and went ${cause.episodes.length} times`;
  return cause.episodes.length ? `seen since ${clock(cause.episodes[cause.episodes.length - 1][0])}` : "";
}

const title = (cause) => cause.title + (cause.places.length ? ` (and ${cause.places.length} more like it)` : "");

function showVerdict() {
  const causes = DATA.causes;
  const left = DATA.unexplained.map((i) => DATA.findings[i].sev);
  const worst = worstOf(causes.length ? causes.map((c) => c.sev) : left.filter((s) => s !== "info"));
  const header = document.getElementById("verdict");
  const unknown = !DATA.nodes.some((node) => node.status !== "failed");
  header.className = unknown ? "unknown" : worst || "fine";
  const one = causes.length === 1 ? causes[0] : null;
  fill(header, {}, [
    el("p", { class: "eyebrow" }, `stackdoctor · ${DATA.when} · ${counted(DATA.nodes.length, "node")} · ${DATA.source}`,
      el("button", { type: "button", id: "theme", click: switchTheme }, "Light / dark")),
    DATA.at ? el("p", { class: "moment" }, DATA.at.text) : null,
    one ? el("p", { class: "label" }, `${SIGNS[one.sev]} Root cause · ${one.sev}`) : null,
    el("h1", {}, one ? title(one) : DATA.said)]);
  if (one) header.append(el("p", { class: "facts" }, el("b", {}, one.certainty), ...facts(one)));
  else if (causes.length) {
    header.append(el("ol", { class: "verdicts" }, causes.slice(0, 8).map((cause, i) =>
      el("li", {}, el("a", { href: `#cause-${i}`, click: () => choose(i) }, el("span", { class: "word" }, cause.sev), title(cause)),
        el("span", { class: "facts" }, el("b", {}, cause.certainty), ...facts(cause))))));
  }
  header.append(el("p", { class: "said" }, one ? `${DATA.said} ` : "", DATA.gap));
}

const facts = (cause) => [place(cause.where), since(cause)].filter(Boolean).map((fact) => ` · ${fact}`);

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

function showCauses() {
  const section = document.getElementById("causes");
  if (!DATA.causes.length) {
    section.append(el("article", { class: "card" }, el("h2", {}, "No root cause"),
      el("p", {}, DATA.unexplained.length
        ? `What was found is below: ${counted(DATA.unexplained.length, "finding")} that no known cause explains.`
        : "Nothing abnormal was found where stackdoctor could look.")));
    return;
  }
  inParts(DATA.causes.map((cause, i) => [cause, i]), ([cause, i]) => causeCard(cause, i), section, 12);
}

function causeCard(cause, i) {
  const number = DATA.causes.length > 1 ? `${i + 1}. ` : "";
  return el("article", { class: `card cause ${cause.sev}`, id: `cause-${i}`, "aria-labelledby": `cause-title-${i}` },
    el("h2", { id: `cause-title-${i}` }, number, number ? title(cause) : "What happens"),
    el("p", { class: "facts" }, pill(cause.sev), " ", el("b", {}, cause.certainty), ` · ${cause.cause}`, number ? facts(cause) : null),
    DATA.causes.length > 1 ? el("button", { type: "button", class: "choose", "aria-pressed": String(i === 0), "data-cause": i, click: () => choose(i) },
      "Show in the picture") : null,
    chain(cause, i),
    cause.fix.length ? el("h3", {}, "Fix") : null,
    el("ul", { class: "fix" }, cause.fix.map(([what, risk, on]) =>
      el("li", {}, el("span", { class: `risk ${risk}` }, on ? `${risk}, on ${on}` : risk), el("code", { class: "take" }, what)))),
    cause.confirm.length ? el("h3", {}, "Confirm (only reads)") : null,
    cause.confirm.map((command) => el("pre", { class: "take", tabindex: "0" }, command)),
    cause.why ? el("details", { open: true }, el("summary", {}, "Why"), el("p", {}, cause.why)) : null,
    cause.evidence.length ? el("details", { class: "fold" }, el("summary", {}, `Evidence (${counted(cause.evidence.length, "record")})`),
      cause.evidence.map((line) => record(line))) : null,
    el("details", { class: "fold" }, el("summary", {}, `Explains ${counted(cause.explains.length, "finding")}`),
      el("button", { type: "button", click: () => showOnly({ scope: `cause-${i}` }) }, "List them below"),
      el("ul", {}, cause.explains.slice(0, 20).map((f) => el("li", {}, `${DATA.findings[f].node || "cloud"}: ${DATA.findings[f].message}`)),
        cause.explains.length > 20 ? el("li", {}, `… and ${cause.explains.length - 20} more`) : null)),
    cause.places.length ? el("details", { class: "fold" }, el("summary", {}, `The same ${counted(cause.places.length, "more time")}`),
      el("ul", {}, cause.places.slice(0, 200).map((where) => el("li", {}, place(where))))) : null,
    cause.unchecked.length ? el("details", { class: "fold" }, el("summary", {}, "Could not be excluded"),
      el("ul", {}, cause.unchecked.map((what) => el("li", {}, what)))) : null,
    cause.refs.length ? el("p", { class: "dim" }, "Read more: ", cause.refs.map((ref) => link(ref))) : null);
}

function link(ref) {
  if (!/^https?:\/\/[\x21-\x7e]+$/.test(ref)) return el("span", {}, `${ref} `);
  return el("span", {}, el("a", { href: ref, rel: "noopener noreferrer" }, ref), " ");
}

// links of the chain have the numbers that the picture draws them with; the first is the cause itself
function chain(cause, i) {
  return el("ol", { class: "chain" }, cause.chain.map((step, number) => {
    const at = number ? { class: "step", "data-step": number } : { class: "step root" };
    const on = (lit) => () => light(i, number, lit);
    return el("li", { ...at, mouseenter: on(true), mouseleave: on(false) },
      el("span", { class: "number", "aria-hidden": "true" }, number || "✖"), el("span", {}, step.text));
  }));
}

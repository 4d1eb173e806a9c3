// Elements are made with text nodes only: nothing that the data holds is ever parsed as markup.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SEVERITIES = ["critical", "error", "warning", "info"];
const SIGNS = { critical: "✖", error: "▲", warning: "◆", info: "●" };
const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === "") continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const counted = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;
const severityRank = (severity) => SEVERITIES.length - SEVERITIES.indexOf(severity);
const worstOf = (severities) => [...severities].sort((a, b) => severityRank(b) - severityRank(a))[0] || "";
const pill = (severity) => el("span", { class: `pill ${severity}` }, `${SIGNS[severity]} ${severity}`);
const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function clock(epoch, seconds = true) {
  if (epoch === null || epoch === undefined) return "";
  const iso = new Date(epoch * 1000).toISOString();
  const day = iso.slice(0, 10) === new Date(DATA.started * 1000).toISOString().slice(0, 10) ? "" : `${iso.slice(0, 10)} `;
  return `${day}${iso.slice(11, seconds ? 19 : 16)}Z`;
}

function named(names, most = 4) {
  const list = [...names];
  const more = list.length - most;
  return list.slice(0, most).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

// a quoted record: the place is the summary, the raw text is folded
function record([node, source, line], open = false) {
  return el("details", { class: "record", open },
    el("summary", {}, node ? el("b", {}, `${node} `) : null, el("code", {}, cut(source, 160))),
    source.length > 160 ? el("p", { class: "dim" }, source) : null,
    el("pre", { tabindex: "0" }, line || "(no text)"));
}

// a long list shows its first elements and a button for more of them
function inParts(list, make, container, step = 50) {
  let shown = 0;
  const button = el("button", { type: "button", class: "more", click: show });
  function show() {
    const fresh = list.slice(shown, shown + step).map(make);
    shown += fresh.length;
    button.before(...fresh);
    const left = list.length - shown;
    button.hidden = left <= 0;
    button.textContent = `Show ${Math.min(step, left)} of ${left} more`;
    if (shown > step && fresh[0]) {
      const first = fresh[0].querySelector("summary, button, [tabindex]");
      if (first) first.focus();
    }
  }
  container.append(button);
  show();
  return container;
}

// The picture of the cloud: boxes with what is on them, tunnels, and over them the chain of the chosen cause.

const BOX = 290;
const APART = 96;
const CHIP = 24;
const IN_A_COLUMN = 5;
const MOST_TARGETS = 5;
let boxes = [];
let chosen = 0;

function showPicture() {
  const section = document.getElementById("picture");
  boxes = makeBoxes();
  section.append(el("h2", { id: "picture-title" }, "The cloud"),
    el("p", { class: "legend", id: "legend" }, el("span", { class: "key root" }, "✖ root cause"), el("span", { class: "key path" }, "①→② how it spreads"),
      el("span", { class: "key bad" }, "symptom"), DATA.tunnels.length ? el("span", { class: "key tunnel" }, "tunnel") : null));
  if (boxes.length < DATA.nodes.length) section.append(everyNode());
  section.append(el("div", { class: "canvas", id: "canvas" }));
  draw();
}

function choose(i) {
  chosen = i;
  for (const button of document.querySelectorAll("button.choose")) button.setAttribute("aria-pressed", String(Number(button.dataset.cause) === i));
  draw();
}

function light(cause, number, lit) {
  if (cause !== chosen) return;
  for (const mark of document.querySelectorAll(`#canvas [data-step="${number}"]`)) mark.classList.toggle("lit", lit);
}

function draw() {
  const size = arrange();
  const cause = DATA.causes[chosen];
  const label = cause ? `Nodes of the cloud, with the cause marked: ${cause.title}` : "Nodes of the cloud";
  const image = svg("svg", { viewBox: `0 0 ${size.width} ${size.height}`, role: "group", "aria-label": label, "aria-describedby": "legend" },
    svg("defs", {}, svg("marker", { id: "tip", viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" },
      svg("path", { d: "M0 0L10 5L0 10z", class: "tip" }))),
    tunnels(), boxes.map(drawBox), cause ? drawChain(cause) : null);
  image.style.maxWidth = `${Math.round(size.width * 1.15)}px`;
  document.getElementById("canvas").replaceChildren(image);
}

// columns: control, network and storage, compute; one of many boxes becomes several
function arrange() {
  const columns = [];
  for (const column of [0, 1, 2]) {
    const of = boxes.filter((box) => box.column === column);
    for (let at = 0; at < of.length; at += IN_A_COLUMN) columns.push(of.slice(at, at + IN_A_COLUMN));
  }
  const heights = columns.map((column) => column.reduce((sum, box) => sum + layChips(box) + 28, -28));
  const height = Math.max(...heights, 60) + 24;
  columns.forEach((column, i) => {
    let y = (height - heights[i]) / 2;
    for (const box of column) {
      Object.assign(box, { x: 32 + i * (BOX + APART), y, at: i });
      y += box.height + 28;
    }
  });
  return { width: Math.max(columns.length, 1) * (BOX + APART) - APART + 64, height };
}

function layChips(box) {
  let x = 12;
  let y = 56;
  let kind = "";
  for (const part of box.parts) {
    part.label = cut(part.name, part.roots.length ? 28 : 32);
    part.width = Math.min(BOX - 24, part.label.length * (part.roots.length ? 7.6 : 6.9) + (part.roots.length || part.found.length || part.state ? 38 : 20));
    if (x > 12 && (x + part.width > BOX - 10 || (part.kind !== kind))) {
      x = 12;
      y += CHIP + (part.kind === kind ? 6 : 12);
    }
    Object.assign(part, { dx: x, dy: y });
    x += part.width + 6;
    kind = part.kind;
  }
  box.height = (box.parts.length ? y + CHIP : 44) + (box.more > 0 ? 24 : 12);
  return box.height;
}

function drawBox(box) {
  const state = box.failed ? "failed" : box.worst;
  const said = box.failed ? "nothing is known of it" : box.found.length ? counted(box.found.length, "finding") : "nothing found";
  const pick = () => showOnly({ nodes: box.names });
  return svg("g", { class: `box ${state} ${box.causes.length ? "origin" : ""}`, transform: `translate(${box.x} ${box.y})` },
    svg("rect", { width: BOX, height: box.height, rx: 10, class: "frame" }),
    svg("g", { role: "button", tabindex: 0, class: "head", "aria-label": `${box.title}: ${said}. Show its findings`, click: pick,
      keydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(); } } },
      svg("title", {}, box.names.length > 1 ? named(box.names, 30) : `${box.title}: ${said}`),
      svg("rect", { width: BOX, height: 46, rx: 10, class: "headline" }),
      svg("text", { x: 12, y: 21, class: "name" }, cut(box.title, 30)),
      svg("text", { x: 12, y: 38, class: "sub" }, cut(box.sub, 46)),
      svg("text", { x: BOX - 12, y: 21, class: "said", "text-anchor": "end" }, (box.causes.length && DATA.causes.length > 1 ? `✖${box.causes.map((i) => i + 1).join(" ✖")}  ` : "") + (state && state !== "failed" ? `${SIGNS[state]} ${said}` : said))),
    box.parts.map(drawPart),
    box.more > 0 ? svg("text", { x: 12, y: box.height - 8, class: "sub" }, `… and ${box.more} more here`) : null);
}

function drawPart(part) {
  const root = part.roots.length > 0;
  const state = root ? "root" : part.found.length && part.sev ? part.sev : part.state ? "odd" : "";
  const sign = root ? `✖${DATA.causes.length > 1 ? part.roots[0] + 1 : ""} ` : part.found.length && part.sev ? `${SIGNS[part.sev]} ` : "";
  const about = [`${part.kind} ${part.name}`, part.state, ...part.found.slice(0, 6).map((i) => DATA.findings[i].message)].filter(Boolean).join("\n");
  return svg("g", { class: `chip ${part.kind} ${state}`, transform: `translate(${part.dx} ${part.dy})` }, svg("title", {}, about),
    svg("rect", { width: part.width, height: CHIP, rx: part.kind === "queue" ? 3 : 12 }),
    svg("text", { x: 10, y: 16 }, `${sign}${part.label}`));
}

function tunnels() {
  const at = new Map(boxes.flatMap((box) => (box.names.length === 1 ? [[box.names[0], box]] : [])));
  return svg("g", { class: "tunnels" }, DATA.tunnels.map(([one, other, kind]) => {
    const [a, b] = [at.get(one), at.get(other)];
    if (!a || !b) return null;
    return svg("path", { d: between(sideOf(a, b, 22), sideOf(b, a, 22)), class: "tunnel" }, svg("title", {}, `${kind} between ${one} and ${other}`));
  }));
}

const sideOf = (box, other, dy) => ({ x: box.x + (other.at > box.at || (other.at === box.at && box.at > 0) ? BOX : 0), y: box.y + dy, out: other.at > box.at || (other.at === box.at && box.at > 0) ? 1 : -1 });

function between(a, b) {
  const pull = Math.max(36, Math.abs(a.x - b.x) / 2);
  return `M${a.x} ${a.y}C${a.x + a.out * pull} ${a.y} ${b.x + b.out * pull} ${b.y} ${b.x} ${b.y}`;
}

function spot(node, about) {
  const box = boxes.find((candidate) => candidate.names.includes(node));
  if (!box) return null;
  const part = about && box.parts.find((candidate) => candidate.kind === about[0] && candidate.name === about[1]);
  return { box, part, key: `${boxes.indexOf(box)}/${part ? box.parts.indexOf(part) : ""}` };
}

function edge(from, right) {
  const { box, part } = from;
  const x = box.x + (part ? part.dx + (right ? part.width : 0) : right ? BOX : 0);
  return { x, y: box.y + (part ? part.dy + CHIP / 2 : 23), out: right ? 1 : -1 };
}

function drawChain(cause) {
  const origin = rootOf(cause);
  const root = spot(origin.node, origin.part) || {};
  let from = root.key ? root : null;
  const marks = new Map();
  const lines = [];
  cause.chain.forEach((step, number) => {
    if (!number) return;
    const spots = new Map();
    for (const i of step.findings) {
      const found = spot(nodeOf(DATA.findings[i]), partOf(DATA.findings[i]));
      if (found && spots.size < MOST_TARGETS) spots.set(found.key, found);
    }
    for (const to of spots.values()) {
      const fresh = !marks.has(to.key) && (!root.key || to.key !== root.key);
      if (!marks.has(to.key)) marks.set(to.key, { to, numbers: [] });
      marks.get(to.key).numbers.push(number);
      if (fresh && from && from.key !== to.key && (from.part || from.box !== to.box)) {
        lines.push(svg("path", { d: arrow(from, to), class: "link", "marker-end": "url(#tip)", "data-step": number }));
      }
    }
    from = spots.values().next().value || from;
  });
  return svg("g", { class: "chain-lines", "aria-hidden": "true" }, lines, broken(cause, origin.node), [...marks.values()].map(drawMark));
}

// two nodes that cannot reach each other
function broken(cause, node) {
  const a = boxes.find((box) => box.names.includes(node));
  for (const key of ["broker", "database", "peer", "backend"]) {
    const b = boxes.find((box) => box !== a && box.names.includes(cause.where[key]));
    if (!a || !b) continue;
    const [one, other] = [sideOf(a, b, 30), sideOf(b, a, 30)];
    const bulge = a.at === b.at ? 40 : 0;
    return svg("g", { class: "broken" }, svg("path", { d: between(one, other) }),
      svg("g", { transform: `translate(${(one.x + other.x) / 2 + one.out * bulge} ${(one.y + other.y) / 2})` }, svg("circle", { r: 13 }),
        svg("path", { d: "M-5 -5L5 5M-5 5L5 -5", class: "cross" })));
  }
  return null;
}

function arrow(from, to) {
  if (from.box === to.box && from.part && to.part && from.part.dy === to.part.dy) return under(from, to);
  if (from.box === to.box) return between(edge(from, true), edge(to, true));
  if (from.box.at === to.box.at) return between(edge(from, false), edge(to, false));
  const right = to.box.at > from.box.at;
  return between(edge(from, right), edge(to, !right));
}

// two chips beside each other
function under({ box, part }, to) {
  const middle = (chip) => box.x + chip.dx + chip.width / 2;
  const y = box.y + part.dy + CHIP;
  return `M${middle(part)} ${y}C${middle(part)} ${y + 22} ${middle(to.part)} ${y + 22} ${middle(to.part)} ${y}`;
}

function drawMark({ to, numbers }) {
  const x = to.box.x + (to.part ? to.part.dx : 0);
  const y = to.box.y + (to.part ? to.part.dy : 4);
  return numbers.map((number, i) => svg("g", { class: "mark", transform: `translate(${x + 4 + i * 17} ${y - 2})`, "data-step": number },
    svg("circle", { r: 9 }), svg("text", { y: 4, "text-anchor": "middle" }, number)));
}

// many nodes: a square each, the worst first
function everyNode() {
  const worst = new Map();
  for (const finding of DATA.findings) {
    const node = nodeOf(finding);
    if (finding.keys.state !== "past") worst.set(node, worstOf([worst.get(node), finding.sev].filter(Boolean)));
  }
  const state = (node) => (node.status === "failed" ? "failed" : worst.get(node.name) || "fine");
  const order = ["critical", "error", "failed", "warning", "info", "fine"];
  const sorted = [...DATA.nodes].sort((a, b) => order.indexOf(state(a)) - order.indexOf(state(b)));
  const across = 60;
  const shown = sorted.slice(0, 6000);
  const height = Math.ceil(shown.length / across) * 14;
  const counts = order.map((name) => [name, sorted.filter((node) => state(node) === name).length]).filter(([, number]) => number);
  return el("figure", { class: "every" },
    svg("svg", { viewBox: `0 0 ${across * 14} ${height}`, "aria-hidden": "true" }, shown.map((node, i) =>
      svg("rect", { x: (i % across) * 14 + 1, y: Math.floor(i / across) * 14 + 1, width: 12, height: 12, rx: 2, class: `dot ${state(node)}`,
        click: () => showOnly({ nodes: [node.name] }) }, svg("title", {}, node.name)))),
    el("figcaption", {}, `${counted(DATA.nodes.length, "node")}: `, counts.map(([name, number]) => `${number} ${name}`).join(", "),
      ". Nodes that look alike are one box below."));
}

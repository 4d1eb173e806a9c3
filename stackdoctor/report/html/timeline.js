// One time line over all nodes: log bursts by the minute, what findings last, when causes held, and the look itself.

const LANE = 22;
const LABEL = 236;
const TOP = 36;
const MOST_LANES = 36;
const STEPS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400];
const line = { from: 0, to: 0, least: 0, most: 0, lanes: [], width: 1000 };

function showTimeline() {
  line.lanes = makeLanes();
  const times = line.lanes.flatMap((lane) => lane.events.flatMap((event) => [event.from, event.to]));
  for (const cause of [...DATA.causes, ...DATA.history]) times.push(...cause.episodes.flat());
  const looked = DATA.started + DATA.seconds;
  let least = looked - 60;
  let most = looked;
  for (const time of times) {
    if (time === null) continue;
    least = Math.min(least, time);
    most = Math.max(most, time);
  }
  const room = Math.max((most - least) * 0.03, 5);
  Object.assign(line, { least: least - room, most: most + room, from: least - room, to: most + room });
  const section = document.getElementById("timeline");
  const button = (label, text, act) => el("button", { type: "button", "aria-label": label, title: label, click: act }, text);
  section.append(el("h2", { id: "timeline-title" }, "Time line"),
    el("div", { class: "tools" }, button("Zoom in", "+", () => zoom(0.5)), button("Zoom out", "−", () => zoom(2)),
      button("Earlier", "←", () => pan(-0.3)), button("Later", "→", () => pan(0.3)), button("The whole window", "All", () => span(line.least, line.most)),
      el("span", { id: "range", role: "status", class: "dim" })),
    el("div", { class: "lanes", id: "lanes", tabindex: 0, role: "group", "aria-label": "Time line: plus and minus zoom, the arrow keys move, Home shows all",
      keydown: keys, wheel, pointerdown: drag }));
  fit();
  addEventListener("resize", () => requestAnimationFrame(fit));
}

function fit() {
  line.width = Math.max(document.getElementById("lanes").clientWidth - 26, 480);
  drawLanes();
}

function makeLanes() {
  const byKind = new Map();
  const lane = (node, id) => {
    const key = `${node}\n${id}`;
    if (!byKind.has(key)) byKind.set(key, { node, id, sev: "info", events: [], total: 0 });
    return byKind.get(key);
  };
  const known = new Map(DATA.findings.map((finding) => [`${nodeOf(finding)}\n${finding.id}`, finding.sev]));
  const bounds = new Map();
  for (const { id, node, first, last } of DATA.findings) {
    const [least, most] = bounds.get(`${node}\n${id}`) || [Infinity, -Infinity];
    bounds.set(`${node}\n${id}`, [Math.min(least, first ?? least), Math.max(most, last ?? most)]);
  }
  const burst = new Set();
  for (const [node, id, service, minutes] of DATA.bursts) {
    if (!known.has(`${node}\n${id}`)) continue;
    burst.add(`${node}\n${id}`);
    const [first, last] = bounds.get(`${node}\n${id}`);
    for (const [minute, count] of minutes) {
      const from = Math.max(minute * 60, Math.min(first, minute * 60 + 59));
      lane(node, id).events.push({ from, to: Math.max(Math.min(minute * 60 + 60, last), from), count, what: `${count} × ${service}` });
    }
  }
  for (const finding of DATA.findings) {
    const of = lane(nodeOf(finding), finding.id);
    of.sev = worstOf([of.sev, finding.sev]);
    of.total += finding.count;
    if (finding.first === null) of.events.push({ from: DATA.started, to: DATA.started, look: true, what: finding.message });
    else if (!burst.has(`${nodeOf(finding)}\n${finding.id}`)) of.events.push({ from: finding.first, to: finding.last ?? finding.first, count: finding.count, what: finding.message });
  }
  const lanes = [...byKind.values()];
  const order = (a, b) => severityRank(b.sev) - severityRank(a.sev) || b.total - a.total;
  if (lanes.length <= MOST_LANES) return lanes.sort((a, b) => a.node.localeCompare(b.node) || order(a, b));
  return byKinds(lanes).sort(order).slice(0, MOST_LANES);
}

// too many for a lane each: one for each kind, over all nodes
function byKinds(lanes) {
  const merged = new Map();
  for (const { id, sev, events, total, node } of lanes) {
    if (!merged.has(id)) merged.set(id, { node: "", id, sev, events: new Map(), total: 0, nodes: new Set() });
    const of = merged.get(id);
    of.sev = worstOf([of.sev, sev]);
    of.total += total;
    of.nodes.add(node);
    for (const event of events) {
      const key = `${event.from}-${event.to}`;
      const same = of.events.get(key);
      if (same) same.count = (same.count || 1) + (event.count || 1);
      else of.events.set(key, { ...event });
    }
  }
  return [...merged.values()].map((of) => ({ ...of, events: [...of.events.values()], node: counted(of.nodes.size, "node"), many: true }));
}

const at = (time) => LABEL + ((time - line.from) / (line.to - line.from)) * (line.width - LABEL - 12);

function drawLanes() {
  const spans = [...DATA.causes.map((cause) => ({ ...cause, now: true })), ...DATA.history].filter((cause) => cause.episodes.length).slice(0, 6);
  const top = TOP + spans.length * LANE;
  const height = top + line.lanes.length * LANE + 8;
  const image = svg("svg", { viewBox: `0 0 ${line.width} ${height}`, width: line.width, height, role: "group", "aria-labelledby": "timeline-title" },
    svg("defs", {}, svg("clipPath", { id: "window" }, svg("rect", { x: LABEL, y: 0, width: Math.max(line.width - LABEL, 1), height }))),
    ticks(height),
    spans.map((cause, i) => causeLane(cause, TOP + i * LANE, height)),
    line.lanes.map((lane, i) => drawLane(lane, top + i * LANE)),
    svg("g", { "clip-path": "url(#window)" }, svg("line", { x1: at(DATA.started), x2: at(DATA.started), y1: 18, y2: height, class: "look" }),
      svg("text", { x: at(DATA.started) - 4, y: 30, class: "looked", "text-anchor": "end" }, "the look")));
  document.getElementById("lanes").replaceChildren(image);
  document.getElementById("range").textContent = `${clock(line.from)} to ${clock(line.to)}`;
}

function ticks(height) {
  const step = STEPS.find((seconds) => (line.to - line.from) / seconds <= line.width / 130) || 86400 * Math.ceil((line.to - line.from) / 86400 / 8);
  const marks = [];
  for (let time = Math.ceil(line.from / step) * step; time < line.to; time += step) {
    marks.push(svg("line", { x1: at(time), x2: at(time), y1: 18, y2: height, class: "tick" }),
      svg("text", { x: at(time), y: 12, class: "tick-label", "text-anchor": "middle" }, clock(time, step < 60)));
  }
  return svg("g", {}, marks);
}

function causeLane(cause, y, height) {
  return svg("g", { class: `held ${cause.now ? cause.sev : "over"}` },
    svg("text", { x: 0, y: y + 15, class: "lane-label" }, svg("title", {}, cause.title), cut(`${cause.now ? "✖" : "✓"} ${cause.title}`, 34)),
    svg("g", { "clip-path": "url(#window)" }, cause.episodes.map(([begin, end]) => {
      const until = cause.now && end === cause.episodes[cause.episodes.length - 1][1] ? Math.max(end, DATA.started) : end;
      const width = Math.max(at(until) - at(begin), 3);
      return [svg("rect", { x: at(begin), y: y + 3, width, height: LANE - 8, rx: 3, class: "span" }, svg("title", {}, `${cause.title}: ${clock(begin)} to ${clock(end)}`)),
        cause.now ? svg("rect", { x: at(begin), y: y + LANE, width, height: height - y - LANE, class: "shade" }) : null];
    })));
}

function drawLane(lane, y) {
  const pick = () => showOnly(lane.many ? { text: lane.id } : { nodes: lane.node ? [lane.node] : [], text: lane.id });
  const most = Math.max(...lane.events.map((event) => event.count || 1));
  return svg("g", { class: `lane ${lane.sev}` },
    svg("text", { x: 0, y: y + 15, class: "lane-label", click: pick }, svg("title", {}, `${lane.node} ${lane.id}: ${lane.total}`),
      cut(`${lane.node || "cloud"} · ${lane.id}`, 36)),
    svg("line", { x1: LABEL, x2: line.width, y1: y + LANE - 1, y2: y + LANE - 1, class: "rule" }),
    svg("g", { "clip-path": "url(#window)", click: pick }, lane.events.map((event) => {
      const about = svg("title", {}, `${lane.node} ${lane.id}\n${clock(event.from)}\n${event.what}`);
      if (event.look) return svg("path", { d: `M${at(event.from)} ${y + 4}l6 7l-6 7l-6 -7z`, class: "bar" }, about);
      const tall = Math.max((Math.log2((event.count || 1) + 1) / Math.log2(most + 1)) * (LANE - 5), 5);
      return svg("rect", { x: at(event.from), y: y + LANE - 2 - tall, width: Math.max(at(event.to) - at(event.from) - 1, 3), height: tall, class: "bar" }, about);
    })));
}

function span(from, to) {
  const width = Math.min(Math.max(to - from, 2), line.most - line.least);
  const begin = Math.min(Math.max(from, line.least), line.most - width);
  Object.assign(line, { from: begin, to: begin + width });
  drawLanes();
}

function zoom(factor, share = 0.5) {
  const width = line.to - line.from;
  const fixed = line.from + width * share;
  span(fixed - width * factor * share, fixed + width * factor * (1 - share));
}

const pan = (share) => span(line.from + (line.to - line.from) * share, line.to + (line.to - line.from) * share);

function keys(event) {
  const acts = { "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2), Home: () => span(line.least, line.most) };
  if (!acts[event.key] || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  acts[event.key]();
}

function wheel(event) {
  if (!event.ctrlKey && !event.shiftKey) return;
  event.preventDefault();
  const box = event.currentTarget.getBoundingClientRect();
  zoom((event.deltaY || event.deltaX) < 0 ? 0.8 : 1.25, Math.min(Math.max((event.clientX - box.left - LABEL) / (box.width - LABEL), 0), 1));
}

function drag(event) {
  const area = event.currentTarget;
  let last = event.clientX;
  let held = false;
  const move = (moved) => {
    if (!held && Math.abs(moved.clientX - last) < 4) return;
    held = true;
    pan((last - moved.clientX) / (line.width - LABEL));
    last = moved.clientX;
  };
  const end = () => { area.removeEventListener("pointermove", move); removeEventListener("pointerup", end); };
  area.addEventListener("pointermove", move);
  addEventListener("pointerup", end);
}

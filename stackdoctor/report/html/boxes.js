// Which boxes the picture has: a node each, or nodes that look alike together, with what is on them.

const MOST_BOXES = 16;
const MOST_OF_A_KIND = { service: 9, queue: 4, namespace: 4, bridge: 3, guest: 4 };
const KEYS = [["namespace", "namespace"], ["bridge", "bridge"], ["tap", "device"], ["device", "device"], ["interface", "device"],
  ["instance", "guest"], ["volume", "storage"], ["iqn", "storage"], ["map", "storage"], ["lun", "storage"],
  ["service", "service"], ["agent", "service"], ["program", "service"], ["database", "service"]];

// what on its node a finding is about: [kind, name], or null where it is the node as a whole
function partOf(finding) {
  const keys = finding.keys;
  if (finding.id.startsWith("log.") && keys.service) return ["service", keys.service];
  if (finding.id.startsWith("rabbitmq.queue") && (keys.queue || keys.topic)) return ["queue", keys.queue || keys.topic];
  for (const [key, kind] of KEYS) if (keys[key]) return [kind, keys[key]];
  return null;
}

const nodeOf = (finding) => finding.node || finding.keys.host || "";

function rootOf(cause) {
  const where = cause.where;
  const named = KEYS.find(([key]) => where[key]);
  const first = cause.chain.flatMap((step) => step.findings)[0];
  const ground = first === undefined ? null : DATA.findings[first];
  return { node: where.node || where.host || (ground ? nodeOf(ground) : ""), part: named ? [named[1], where[named[0]]] : ground && partOf(ground) };
}

function makeBoxes() {
  const on = new Map(DATA.nodes.map((node) => [node.name, []]));
  DATA.findings.forEach((finding, i) => {
    if (finding.keys.state !== "past" && on.has(nodeOf(finding))) on.get(nodeOf(finding)).push(i);
  });
  const roots = DATA.causes.map(rootOf);
  const alone = DATA.nodes.length <= MOST_BOXES;
  const groups = new Map();
  for (const node of DATA.nodes) {
    const found = on.get(node.name);
    const ids = [...new Set(found.map((i) => DATA.findings[i]).filter((f) => f.sev !== "info").map((f) => f.id))].sort();
    const causes = roots.flatMap((root, i) => (root.node === node.name ? [i] : []));
    const key = alone ? node.name : JSON.stringify([node.roles, node.status === "failed", ids, causes]);
    if (!groups.has(key)) groups.set(key, { nodes: [], found: [], causes });
    groups.get(key).nodes.push(node);
    groups.get(key).found.push(...found);
  }
  const boxes = [...groups.values()].map((group) => makeBox(group, roots));
  boxes.sort((a, b) => b.causes.length - a.causes.length || severityRank(b.worst || "none") - severityRank(a.worst || "none") || a.order - b.order);
  return alone ? boxes.sort((a, b) => a.order - b.order) : foldRest(boxes, roots);
}

function foldRest(boxes, roots) {
  if (boxes.length <= MOST_BOXES) return boxes;
  const kept = boxes.slice(0, MOST_BOXES - 3);
  const byRole = new Map();
  for (const box of boxes.slice(MOST_BOXES - 3)) {
    const key = columnOf(box.nodes[0]);
    if (!byRole.has(key)) byRole.set(key, { nodes: [], found: [], causes: [] });
    byRole.get(key).nodes.push(...box.nodes);
    byRole.get(key).found.push(...box.found);
  }
  return [...kept, ...[...byRole.values()].map((group) => makeBox(group, roots))];
}

function columnOf(node) {
  const has = (...roles) => roles.some((role) => node.roles.includes(role));
  if (has("controller", "control", "broker", "database", "api")) return 0;
  return has("compute") ? 2 : 1;
}

function makeBox({ nodes, found, causes }, roots) {
  const parts = new Map();
  const part = (kind, name) => {
    const key = `${kind}\n${name}`;
    if (!parts.has(key)) parts.set(key, { kind, name, state: "", found: [], roots: [], nodes: 0 });
    return parts.get(key);
  };
  for (const node of nodes) {
    for (const [kind, name, state] of DATA.parts[node.name] || []) {
      const seen = part(kind, name);
      seen.nodes += 1;
      if (state) seen.state = state;
    }
  }
  for (const i of found) {
    const about = partOf(DATA.findings[i]);
    if (about) part(...about).found.push(i);
  }
  for (const i of causes) if (roots[i].part) part(...roots[i].part).roots.push(i);
  const severities = found.map((i) => DATA.findings[i].sev);
  const names = nodes.map((node) => node.name);
  const roles = [...new Set(nodes.flatMap((node) => node.roles))].sort();
  return {
    nodes, names, found, causes, column: columnOf(nodes[0]), order: DATA.nodes.indexOf(nodes[0]),
    title: names.length === 1 ? names[0] : `${names.length} × ${roles.join(", ") || "node"}`,
    sub: names.length === 1 ? roles.join(", ") : named(names, 2),
    failed: nodes.every((node) => node.status === "failed"),
    worst: worstOf(severities.filter((severity) => severity !== "info")),
    ...shownParts([...parts.values()], names.length),
  };
}

function shownParts(parts, nodes) {
  const bad = (part) => part.roots.length || part.found.length;
  const order = ["service", "queue", "namespace", "bridge", "device", "guest", "storage"];
  parts.forEach((part) => { part.sev = worstOf(part.found.map((i) => DATA.findings[i].sev)); });
  parts.sort((a, b) => Boolean(bad(b)) - Boolean(bad(a)) || severityRank(b.sev) - severityRank(a.sev));
  const counts = {};
  const shown = parts.filter((part) => {
    counts[part.kind] = (counts[part.kind] || 0) + 1;
    const most = nodes > 1 ? 5 : MOST_OF_A_KIND[part.kind] || 4;
    return part.roots.length || counts[part.kind] <= (bad(part) ? Math.max(most, 6) : most);
  });
  shown.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  return { parts: shown, more: parts.length - shown.length };
}

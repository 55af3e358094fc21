/**
 * A flame graph as one SVG file that needs nothing else: a browser shows it, its own script zooms on a click, tells each box under the
 * pointer, and searches (Ctrl-F or the button; names by regular expression). Without scripts the boxes and their tooltips still stand.
 * Names come from the dump and are escaped wherever they go.
 */
import { type FlameBox, type FlameNode, flameBoxes, label } from "./flame.ts";

const WIDTH = 1200;
const ROW = 18;
const TOP = 62;
const BOTTOM = 34;
const MARGIN = 10;
/** Width of a character of the 12-pixel font, for cutting names. */
const CHARACTER = 7;
/** Boxes narrower than a twentieth of a pixel are not drawn. */
const NARROWEST = 0.05 / (WIDTH - 2 * MARGIN);

/** @param title above the graph, e.g. "6.1.0-56-cloud-amd64: 5069 tasks" */
export function flameSvg(root: FlameNode, title: string): string {
  const boxes = flameBoxes(root, NARROWEST);
  const deepest = boxes.reduce((most, { depth }) => Math.max(most, depth), 0);
  const height = TOP + (deepest + 1) * ROW + BOTTOM;
  return [
    '<?xml version="1.0" encoding="UTF-8" standalone="no"?>',
    `<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">`,
    "<style>text{font:12px monospace;fill:#000}#title{font-size:17px;text-anchor:middle}.button{cursor:pointer;fill:#555}g.box{cursor:pointer}g.box:hover rect{stroke:#000;stroke-width:1}g.found rect{fill:#e600e6}g.faded{opacity:.45}</style>",
    `<rect width="100%" height="100%" fill="#fbf8ee"/>`,
    `<text id="title" x="${WIDTH / 2}" y="26">${escapeXml(title)}</text>`,
    `<text id="reset" class="button" x="${MARGIN}" y="46" visibility="hidden">reset zoom</text>`,
    `<text id="search" class="button" x="${WIDTH - MARGIN}" y="46" text-anchor="end">search</text>`,
    `<text id="matched" x="${WIDTH - MARGIN}" y="${height - 12}" text-anchor="end"></text>`,
    `<text id="details" x="${MARGIN}" y="${height - 12}"></text>`,
    '<g id="boxes">',
    ...boxes.map((box) => boxSvg(box, root.count, height)),
    "</g>",
    `<script><![CDATA[${SCRIPT}]]></script>`,
    "</svg>",
    "",
  ].join("\n");
}

function boxSvg({ node, left, width, depth }: FlameBox, total: number, height: number): string {
  const x = MARGIN + left * (WIDTH - 2 * MARGIN);
  const wide = width * (WIDTH - 2 * MARGIN);
  const y = height - BOTTOM - (depth + 1) * ROW;
  const name = label(node);
  const share = total === 0 ? 0 : (100 * node.count) / total;
  const told = `${name} (${node.count} ${node.count === 1 ? "task" : "tasks"}, ${share.toFixed(2)}%)`;
  const data = `data-l="${left.toFixed(8)}" data-w="${width.toFixed(8)}" data-d="${depth}" data-c="${node.count}" data-n="${escapeXml(name)}"`;
  return `<g class="box" ${data}><title>${escapeXml(told)}</title><rect x="${x.toFixed(2)}" y="${y}" width="${Math.max(0.3, wide).toFixed(2)}" height="${ROW - 1}" rx="1" fill="${colour(node)}"/><text x="${(x + 3).toFixed(2)}" y="${y + 13}">${escapeXml(cut(name, wide))}</text></g>`;
}

function cut(name: string, wide: number): string {
  const room = Math.floor((wide - 6) / CHARACTER);
  if (room < 3) return "";
  return name.length <= room ? name : `${name.slice(0, room - 2)}..`;
}

/** Warm for the kernel, green for modules; the same name always has the same one. */
function colour({ name, module }: FlameNode): string {
  let hash = 2166136261;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619) >>> 0;
  const vary = (hash % 1000) / 1000;
  return module === null
    ? `hsl(${Math.round(8 + vary * 40)},${85}%,${Math.round(62 + (1 - vary) * 8)}%)`
    : `hsl(${Math.round(95 + vary * 45)},45%,66%)`;
}

/** Text for an element or an attribute. What XML 1.0 has no form for (control characters) becomes U+FFFD. */
export function escapeXml(text: string): string {
  return [...text]
    .map((char) => {
      const code = char.codePointAt(0) as number;
      if (
        (code < 0x20 && code !== 9 && code !== 10 && code !== 13) ||
        code === 0xfffe ||
        code === 0xffff ||
        (code >= 0xd800 && code <= 0xdfff)
      )
        return "\uFFFD";
      return ESCAPES[char] ?? char;
    })
    .join("");
}

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Runs in the file. It sets text only as text, never as markup. */
const SCRIPT = `
(function () {
  var all = Array.prototype.slice.call(document.querySelectorAll("g.box"));
  var margin = ${MARGIN}, width = ${WIDTH - 2 * MARGIN}, character = ${CHARACTER};
  var byId = function (id) { return document.getElementById(id); };
  var number = function (box, name) { return parseFloat(box.getAttribute("data-" + name)); };
  var told = function (box) { return box.querySelector("title").textContent; };
  function fit(name, wide) {
    var room = Math.floor((wide - 6) / character);
    return room < 3 ? "" : name.length <= room ? name : name.slice(0, room - 2) + "..";
  }
  function zoom(target) {
    var left = number(target, "l"), part = number(target, "w"), depth = number(target, "d");
    all.forEach(function (box) {
      var l = number(box, "l"), w = number(box, "w"), below = number(box, "d") < depth;
      var spans = l <= left + 1e-9 && l + w >= left + part - 1e-9;
      var inside = l >= left - 1e-9 && l + w <= left + part + 1e-9;
      var shown = below ? spans : inside;
      box.style.display = shown ? "" : "none";
      if (!shown) return;
      var x = below ? margin : margin + (l - left) / part * width, wide = below ? width : w / part * width;
      var rect = box.querySelector("rect"), text = box.querySelector("text");
      rect.setAttribute("x", x); rect.setAttribute("width", Math.max(0.3, wide));
      text.setAttribute("x", x + 3); text.textContent = fit(box.getAttribute("data-n"), wide);
      box.classList.toggle("faded", below);
    });
    byId("reset").setAttribute("visibility", depth === 0 ? "hidden" : "visible");
  }
  function search(words) {
    var pattern = null;
    if (words) try { pattern = new RegExp(words); } catch (error) { byId("matched").textContent = "no regular expression: " + words; return; }
    var tasks = 0, end = -1;
    all.forEach(function (box) {
      var found = pattern !== null && pattern.test(box.getAttribute("data-n"));
      box.classList.toggle("found", found);
    });
    all.filter(function (box) { return box.classList.contains("found"); })
      .sort(function (a, b) { return number(a, "l") - number(b, "l") || number(b, "w") - number(a, "w"); })
      .forEach(function (box) {
        if (number(box, "l") < end - 1e-9) return;
        end = number(box, "l") + number(box, "w"); tasks += number(box, "c");
      });
    byId("matched").textContent = pattern === null ? "" : words + ": " + tasks + (tasks === 1 ? " task" : " tasks");
    byId("search").textContent = pattern === null ? "search" : "clear search";
  }
  function ask() {
    if (byId("search").textContent !== "search") return search("");
    var words = prompt("Functions by name or regular expression:", "");
    if (words) search(words);
  }
  all.forEach(function (box) {
    box.addEventListener("mouseover", function () { byId("details").textContent = told(box); });
    box.addEventListener("mouseout", function () { byId("details").textContent = ""; });
    box.addEventListener("click", function () { zoom(box); });
  });
  byId("reset").addEventListener("click", function () { zoom(all[0]); });
  byId("search").addEventListener("click", ask);
  window.addEventListener("keydown", function (event) {
    if (event.key === "F3" || ((event.ctrlKey || event.metaKey) && event.key === "f")) { event.preventDefault(); ask(); }
    if (event.key === "Escape") { search(""); zoom(all[0]); }
  });
})();
`;

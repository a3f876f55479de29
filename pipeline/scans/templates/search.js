"use strict";
// Reads the data of the page and draws what is looked at. It asks nothing of a network; evidence and
// pictures come from files beside the page.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const MARKS = ["likely", "unsure", "none"];
  const SHEET = 12; // pages drawn at a time
  const $ = (id) => document.getElementById(id);

  // An element with attributes and children; text is never taken for HTML.
  function make(tag, attributes = {}, ...children) {
    const svg = ["svg", "rect", "g"].includes(tag);
    const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag)
      : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "on") for (const [what, act] of Object.entries(value)) element.addEventListener(what, act);
      else if (value !== null) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }
  const five = (row) => String(row).padStart(5, "0");
  // In a page of a single file the pictures are within it.
  for (const image of document.querySelectorAll("[data-picture]")) {
    data.pictures[image.dataset.picture] = image.src;
  }
  const picture = (kind, name) =>
    data.pictures ? data.pictures[`${kind}/${name}`] : `${kind}/${name}.webp`;
  const thumb = (row) => picture("thumbs", five(row));
  const hand = (row) => (data.groups[row] < 0 ? "" : `Hand ${data.groups[row] + 1}`);
  const codex = (row) => data.codices[data.codex[row]] || "no codex named";
  const grade = (at) => make("span", { class: `grade ${MARKS[at]}` }, data.grades[at]);
  const number = (score) => score.toFixed(2).replace("-0.00", "0.00").replace("-", "−");
  // A name that may break after its separators.
  const broken = (name) => name.split(/(?<=[/_])/).flatMap((part) => [part, make("wbr")]);
  const share = (place) => (place >= 1 ? "100 %" : `${Math.min(place * 100, 99.9).toFixed(1)} %`);

  function hits(row, scope) {
    const flat = data[scope][row] || [], found = [];
    for (let at = 0; at < flat.length; at += 4) {
      found.push({ page: flat[at], score: flat[at + 1], place: flat[at + 2], grade: flat[at + 3] });
    }
    return found;
  }
  const hitOf = (row, page) =>
    hits(row, "other").concat(hits(row, "all")).find((hit) => hit.page === page);

  // Evidence: kept by page, loaded as a script because a page from the disk may not read files.
  const known = data.loaded || {}, waiting = {};
  window.evidenceOf = (row, pairs) => { known[row] = pairs; };
  const drawn = (row, hit) => (data.evidence[row] || {})[hit];
  function load(row, then) {
    if (known[row]) { then(); return; }
    if (waiting[row]) { waiting[row].push(then); return; }
    waiting[row] = [then];
    const done = () => { waiting[row].forEach((one) => one()); delete waiting[row]; };
    document.head.append(make("script", { src: `evidence/${five(row)}.js`, on: { load: done, error: done } }));
  }
  // Evidence between two pages as seen from the first, whichever of the two it was drawn for.
  function between(a, b) {
    const turned = !drawn(a, b), [row, hit] = turned ? [b, a] : [a, b], count = drawn(row, hit);
    return count ? { row, count, turned, strip: picture("pairs", `${five(row)}-${five(hit)}`) } : null;
  }
  // One letter of a strip, as large as its box: side 0 is the first page's, 1 the other's.
  function tile({ strip, count, turned }, column, side, alt) {
    const line = turned ? 1 - side : side;
    const image = make("img", { src: strip, alt, loading: "lazy" });
    image.style.width = `${count * 100}%`;
    image.style.height = "200%";
    image.style.left = `${-column * 100}%`;
    image.style.top = `${-line * 100}%`;
    return make("span", { class: "tile" }, image);
  }

  // ---- The list of pages.
  const list = $("list");
  let scope = "other", shown = [], first = 0;

  function drawPage(row) {
    const [height, width] = data.shapes[row];
    const own = make("div", { class: "own" },
      make("img", { src: thumb(row), alt: `Page ${data.names[row]}`, loading: "lazy",
        width: Math.round((240 * width) / Math.max(height, width)) || 1,
        height: Math.round((240 * height) / Math.max(height, width)) || 1 }),
      make("h3", {}, ...broken(data.names[row])),
      make("p", {}, codex(row), data.hands[row] ? ` · known: ${data.hands[row]}` : "", " · ",
        hand(row) ? make("a", { href: `#hand${data.groups[row] + 1}` }, hand(row)) : "fits nowhere"));
    if (data.notes[row]) own.append(make("p", {}, data.notes[row]));
    const near = hits(row, scope);
    const cards = make("ol", { class: "hits", "aria-label": `Nearest to ${data.names[row]}` });
    for (const hit of near) cards.append(make("li", {}, drawHit(row, hit, near)));
    const article = make("article", { class: "page", id: `p${row}`, tabindex: "-1" }, own);
    article.append(near.length ? cards : make("p", { class: "note" }, "No page to compare it with."));
    return article;
  }
  function drawHit(row, hit, near) {
    const name = data.names[hit.page], button = make("button", { type: "button", class: "hit",
      title: name, "aria-haspopup": "dialog",
      on: { click: () => compare(row, hit.page, near.map((one) => one.page)) } });
    button.append(make("img", { class: "face", src: thumb(hit.page), alt: "", loading: "lazy" }));
    const found = between(row, hit.page), text = make("span", { class: "text" });
    if (found) text.append(make("span", { class: "letter" }, tile(found, 0, 0, ""), tile(found, 0, 1, "")));
    text.append(make("b", {}, ...broken(name)), grade(hit.grade),
      make("span", { class: "soft" }, `${number(hit.score)} · above ${share(hit.place)}`));
    button.append(text);
    return button;
  }
  function draw() {
    list.replaceChildren(...shown.slice(first, first + SHEET).map(drawPage));
    const last = Math.min(first + SHEET, shown.length);
    const text = shown.length ? `${first + 1}–${last} of ${shown.length} pages` : "No page is like that: change the filter.";
    document.querySelectorAll(".found").forEach((one) => { one.textContent = text; });
    document.querySelectorAll(".turn-before").forEach((one) => { one.disabled = first === 0; });
    document.querySelectorAll(".turn-after").forEach((one) => { one.disabled = last >= shown.length; });
  }
  const texts = data.names.map((name, row) =>
    [name, codex(row), data.hands[row], data.notes[row], hand(row)].join("\n").toLowerCase());
  function filter() {
    const words = $("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const book = $("of-codex").value, like = $("of-grade").value;
    shown = [];
    data.names.forEach((_, row) => {
      const flat = data[scope][row];
      if (book !== "" && data.codex[row] !== Number(book)) return;
      if (like !== "" && (flat.length ? flat[3] : -1) !== Number(like)) return;
      if (words.every((word) => texts[row].includes(word))) shown.push(row);
    });
    first = 0;
    draw();
  }
  function turn(by) {
    first = Math.max(0, first + by * SHEET);
    draw();
    $("pages").scrollIntoView();
    if (list.firstElementChild) list.firstElementChild.focus({ preventScroll: true });
  }
  // Shows a page of the list, whatever the filter hides.
  function jump(row) {
    if (!shown.includes(row)) { $("filters").reset(); scope = chosen(); filter(); }
    first = Math.floor(shown.indexOf(row) / SHEET) * SHEET;
    draw();
    const article = $(`p${row}`);
    article.classList.add("here");
    article.scrollIntoView();
    article.focus({ preventScroll: true });
  }
  const chosen = () => document.querySelector("[name=scope]:checked").value;
  function followHash() {
    const found = /^#p(\d+)$/.exec(location.hash);
    if (found && Number(found[1]) < data.names.length) jump(Number(found[1]));
    const target = /^#hand\d+$/.test(location.hash) && $(location.hash.slice(1));
    if (target) { target.open = true; target.scrollIntoView(); }
  }

  if (list) {
    scope = chosen();
    data.codices.forEach((name, at) => $("of-codex").append(make("option", { value: at }, name || "no codex named")));
    data.grades.forEach((name, at) => $("of-grade").append(make("option", { value: at }, name)));
    document.querySelectorAll(".turn, #filters").forEach((one) => { one.hidden = false; });
    document.querySelectorAll(".turn-before").forEach((one) => one.addEventListener("click", () => turn(-1)));
    document.querySelectorAll(".turn-after").forEach((one) => one.addEventListener("click", () => turn(1)));
    $("find").addEventListener("input", filter);
    ["of-codex", "of-grade"].forEach((id) => $(id).addEventListener("change", filter));
    $("filters").addEventListener("submit", (event) => event.preventDefault());
    $("scope").addEventListener("change", () => { scope = chosen(); filter(); });
    // The names are written out only when they are needed: there may be thousands.
    $("jump").addEventListener("focus", () => {
      $("names").append(...data.names.map((name) => make("option", { value: name })));
    }, { once: true });
    $("jump").addEventListener("change", () => {
      const row = data.names.indexOf($("jump").value);
      if (row >= 0) { $("jump").value = ""; jump(row); }
    });
    // A second click on the same link does not change the hash, but must lead there again.
    document.addEventListener("click", (event) => {
      const link = event.target.closest && event.target.closest("a[href^='#p'], a[href^='#hand']");
      if (link && link.getAttribute("href") === location.hash) followHash();
    });
    window.addEventListener("hashchange", followHash);
    filter();
    followHash();
  }
  // Small pictures say what they are when they are pointed at; written out, it would be there twice.
  document.addEventListener("pointerover", (event) => {
    const image = event.target.closest && event.target.closest("a img");
    if (image) image.title = image.alt;
  });
  document.querySelectorAll("button.open").forEach((button) => {
    const [a, b] = button.dataset.pair.split(",").map(Number);
    button.addEventListener("click", () => compare(a, b, data.pictures ? hits(a, "other").map((hit) => hit.page) : [b]));
  });

  // ---- Two pages side by side.
  const dialog = $("compare");
  let pair = null;

  function compare(a, b, others) {
    pair = { a, b, others };
    drawPair();
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    // The button that led here may have been switched off, and then has lost the focus.
    if (!dialog.contains(document.activeElement) || document.activeElement.disabled) $("compare-title").focus();
    const found = between(a, b);
    if (found) load(found.row, () => { if (pair && pair.a === a && pair.b === b) drawEvidence(found); });
  }
  function drawPair() {
    const { a, b, others } = pair, hit = hitOf(a, b) || hitOf(b, a), at = others.indexOf(b);
    $("compare-title").replaceChildren(data.names[a], make("i", {}, " and "), data.names[b]);
    const verdict = $("compare-verdict");
    if (hit) {
      verdict.replaceChildren(grade(hit.grade), make("span", { class: "note" },
        ` score ${number(hit.score)}, higher than ${share(hit.place)} of ${data.basis}`));
    } else verdict.replaceChildren(make("span", { class: "note" }, "Not among each other's nearest pages."));
    $("compare-before").disabled = at <= 0;
    $("compare-after").disabled = at >= others.length - 1;
    $("compare-before").hidden = $("compare-after").hidden = others.length < 2;
    $("letters").replaceChildren();
    $("letters-note").textContent = between(a, b) ? "Loading …"
      : "The evidence of this pair was not drawn. Compare the pages themselves below.";
    $("leaves").replaceChildren(...[a, b].map((row) => make("figure", { class: "leaf" },
      make("div", { class: "frame" }, make("img", { src: picture("pages", five(row)),
        alt: `Page ${data.names[row]}`, width: data.shapes[row][1], height: data.shapes[row][0] })),
      make("figcaption", {}, [data.names[row], codex(row), hand(row)].filter(Boolean).join(" · ")))));
    $("show-weights").parentElement.hidden = $("show-places").parentElement.hidden = true;
  }
  function drawEvidence(drawnFor) {
    const { row, turned } = drawnFor, { a, b } = pair, found = (known[row] || {})[turned ? a : b];
    if (!found) { $("letters-note").textContent = "The evidence of this pair could not be loaded."; return; }
    const carried = found.reduce((sum, one) => sum + one[6], 0);
    $("letters-note").textContent = `The ${found.length} pairs of places that carry most of the similarity, together `
      + `${Math.round(carried * 100)} % of it. Upper: ${data.names[a]}. Lower: ${data.names[b]}. `
      + "The corners mark what was compared. Are they the same letters, made in the same way?";
    found.forEach((one, at) => {
      const light = (on) => () => document.querySelectorAll(`[data-place="${at}"]`)
        .forEach((each) => each.classList.toggle("lit", on));
      $("letters").append(make("li", {}, make("button", { type: "button", "data-place": at,
        on: { mouseenter: light(true), mouseleave: light(false), focus: light(true), blur: light(false),
          click: () => $("leaves").scrollIntoView({ block: "nearest" }) } },
      tile(drawnFor, at, 0, `Place ${at + 1} on ${data.names[a]}`),
      tile(drawnFor, at, 1, `Place ${at + 1} on ${data.names[b]}`),
      make("span", { class: "share" }, make("b", {}, String(at + 1)), `${(one[6] * 100).toFixed(1)} %`))));
    });
    document.querySelectorAll("#leaves .frame").forEach((frame, side) => {
      const page = side ? b : a, from = (side === 1) === turned ? 0 : 3, [height, width] = data.shapes[page];
      const svg = make("svg", { viewBox: `0 0 1 ${height / width}`, preserveAspectRatio: "none", "aria-hidden": "true" });
      const weights = picture("maps", five(page));
      if (weights) frame.append(make("img", { class: "weights", src: weights, alt: `Map of weights of ${data.names[page]}` }));
      frame.append(svg);
      found.forEach((one, at) => {
        const [x, y, size] = one.slice(from, from + 3);
        svg.append(make("g", { "data-place": at }, make("rect", { x: x - size / 2, y: (y * height) / width - size / 2, width: size, height: size })));
        const dot = make("span", { class: "dot", "data-place": at }, String(at + 1));
        dot.style.left = `${x * 100}%`;
        // Beside the square, so that the letter stays in sight.
        dot.style.top = `calc(${(y - ((size / 2) * width) / height) * 100}% - .6rem)`;
        frame.append(dot);
      });
    });
    $("show-places").parentElement.hidden = false;
    $("show-weights").parentElement.hidden = !document.querySelector("#leaves .weights");
    switches();
  }
  function switches() {
    $("leaves").classList.toggle("places", $("show-places").checked);
    $("leaves").classList.toggle("weighed", $("show-weights").checked);
  }
  function step(by) {
    const next = pair.others[pair.others.indexOf(pair.b) + by];
    if (next !== undefined) compare(pair.a, next, pair.others);
  }
  ["show-places", "show-weights"].forEach((id) => $(id).addEventListener("change", switches));
  $("compare-close").addEventListener("click", () => dialog.close());
  $("compare-before").addEventListener("click", () => step(-1));
  $("compare-after").addEventListener("click", () => step(1));
  dialog.addEventListener("close", () => { pair = null; });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });

  // ---- The square of a codex says which two pages are under the pointer, and opens them.
  document.querySelectorAll(".order-figure").forEach((figure) => {
    const pages = data.orders[Number(figure.dataset.codex)], square = figure.querySelector(".matrix");
    const readout = figure.querySelector(".readout"), usual = readout.textContent;
    const under = (event) => {
      const box = square.getBoundingClientRect();
      return [event.clientY - box.top, event.clientX - box.left].map((at) =>
        pages[Math.max(0, Math.min(pages.length - 1, Math.floor((at / box.width) * pages.length)))]);
    };
    square.addEventListener("pointermove", (event) => {
      readout.textContent = under(event).map((row) => data.names[row]).join("  ×  ");
    });
    square.addEventListener("pointerleave", () => { readout.textContent = usual; });
    square.addEventListener("click", (event) => { const [a, b] = under(event); if (a !== b) compare(a, b, [b]); });
  });

  // ---- Light and dark.
  const themes = ["auto", "light", "dark"], button = $("theme");
  let theme = "auto";
  try { theme = themes.includes(localStorage.dgmpTheme) ? localStorage.dgmpTheme : "auto"; } catch { /* not kept */ }
  function paint() {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
  }
  button.hidden = false;
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    try { localStorage.dgmpTheme = theme; } catch { /* not kept */ }
    paint();
  });
  paint();
})();

"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const PRINTED_ROWS = 60;
  const CALLS = ["virus", "others"];
  const count = d3.format(",");

  function theme() {
    const button = document.getElementById("theme");
    const prefersDark = matchMedia("(prefers-color-scheme: dark)");
    let chosen = null;
    function show() {
      const dark = chosen ?? prefersDark.matches;
      document.documentElement.dataset.theme = dark ? "dark" : "light";
      button.textContent = dark ? "Light colours" : "Dark colours";
    }
    button.addEventListener("click", () => {
      chosen = !(chosen ?? prefersDark.matches);
      show();
    });
    prefersDark.addEventListener("change", show);
    button.hidden = false;
    show();
  }

  // The drawing area of a chart, as wide as its place on the page.
  function canvas(box, height, margin) {
    const width = Math.max(260, box.clientWidth);
    box.replaceChildren();
    const svg = d3.select(box).append("svg").attr("viewBox", `0 0 ${width} ${height}`).attr("aria-hidden", "true");
    return {
      svg,
      x: [margin.left, width - margin.right],
      y: [height - margin.bottom, margin.top],
      axis: (make, scale, side, ticks) => {
        const group = svg.append("g");
        const axis = make(scale).tickSizeOuter(0).tickPadding(6);
        ticks(axis);
        group.call(axis).attr("font-size", null).attr("font-family", null);
        const shift = side === "left" ? `translate(${margin.left},0)` : `translate(0,${height - margin.bottom})`;
        return group.attr("transform", shift);
      },
    };
  }

  function title(selection, text) {
    selection.append("title").text(text);
  }

  function label(svg, x, y, text, anchor = "start") {
    return svg.append("text").attr("x", x).attr("y", y).attr("text-anchor", anchor).text(text);
  }

  function line(svg, kind, x1, y1, x2, y2) {
    svg.append("line").attr("class", kind).attr("x1", x1).attr("y1", y1).attr("x2", x2).attr("y2", y2);
  }

  function lengthTicks(low, high) {
    const ticks = [];
    for (let power = 1; power <= high; power *= 10) ticks.push(power, 3 * power);
    return ticks.filter((tick) => tick >= low && tick <= high);
  }

  function histogram(box) {
    const { svg, x: xs, y: ys, axis } = canvas(box, 280, { left: 58, right: 12, top: 38, bottom: 44 });
    const bins = data.histogram.virus.map((virus, bin) => ({ virus, others: data.histogram.others[bin] }));
    const x = d3.scaleLinear([0, 1], xs);
    const y = d3.scaleLinear([0, Math.max(1, d3.max(bins, (bin) => bin.virus + bin.others))], ys).nice(5);
    axis(d3.axisLeft, y, "left", (made) =>
      made.tickValues(y.ticks(5).filter(Number.isInteger)).tickFormat(count).tickSizeInner(xs[0] - xs[1]),
    ).attr("class", "grid");
    bins.forEach((bin, place) => {
      let top = y(0);
      for (const call of ["others", "virus"]) {
        const height = y(0) - y(bin[call]);
        top -= height;
        const rect = svg.append("rect").attr("class", call).attr("x", x(place / bins.length) + 1).attr("y", top);
        rect.attr("width", x(1 / bins.length) - x(0) - 2).attr("height", height);
        const range = `${(place / bins.length).toFixed(2)} – ${((place + 1) / bins.length).toFixed(2)}`;
        title(rect, `${count(bin[call])} ${call}, score ${range}`);
      }
    });
    axis(d3.axisBottom, x, "bottom", (made) => made.ticks(10).tickSizeInner(4));
    cutoffs(svg, {
      across: (value, number) => [x(value), ys[0], x(value), ys[1] - 8 - 14 * number],
      place: (value, number) => [x(value), ys[1] - 12 - 14 * number],
      words: (name, value) => `${name} ${Number(value.toPrecision(3))}`,
      anchor: "middle",
    });
    label(svg, xs[1], ys[0] + 38, data.scale, "end");
    label(svg, 4, 12, "records");
  }

  // The cutoff of calls, and that of the sequences handed on where it is another one; one of 0 leaves out nothing.
  function cutoffs(svg, { across, place, words, anchor }) {
    const drawn = [["cutoff", data.cutoff, "cutoff"]];
    if (data.kept.score > 0 && data.kept.score !== data.cutoff) drawn.push(["kept", data.kept.score, "to FASTA"]);
    drawn.forEach(([kind, value, name], number) => {
      line(svg, kind, ...across(value, number));
      const [x, y] = place(value, number);
      const text = label(svg, x, y, words(name, value), anchor).attr("class", "said");
      title(text, kind === "kept" ? `sequences are written from ${value}` : `called virus from ${value}`);
    });
  }

  function plane(box) {
    const { svg, x: xs, y: ys, axis } = canvas(box, 280, { left: 42, right: 62, top: 38, bottom: 44 });
    const lengths = data.points.map((point) => point[1]).concat(data.cells.flatMap((cell) => [cell[0], cell[1]]));
    const low = Math.max(1, d3.min(lengths) * 0.9);
    const high = Math.max(low * 10, d3.max(lengths) * 1.1);
    const x = d3.scaleLog([low, high], xs);
    const y = d3.scaleLinear([0, 1], ys);
    axis(d3.axisLeft, y, "left", (made) => made.ticks(5).tickSizeInner(xs[0] - xs[1])).attr("class", "grid");
    axis(d3.axisBottom, x, "bottom", (made) =>
      made.tickValues(lengthTicks(low, high)).tickFormat(count).tickSizeInner(4),
    );
    const most = d3.max(data.cells, (cell) => cell[4] + cell[5]);
    for (const [from, to, bottom, top, virus, others] of data.cells) {
      const rect = svg.append("rect").attr("class", virus >= others ? "virus" : "others");
      rect.attr("x", x(from)).attr("width", x(to) - x(from)).attr("y", y(top)).attr("height", y(bottom) - y(top));
      rect.attr("fill-opacity", 0.12 + (0.88 * Math.log1p(virus + others)) / Math.log1p(most));
      const range = `${count(Math.ceil(from))} – ${count(Math.ceil(to) - 1)} bases, score ${bottom.toFixed(2)} – ${top.toFixed(2)}`;
      title(rect, `${count(virus + others)} records: ${range}`);
    }
    for (const [place, length, score, isVirus] of data.points) {
      const shape = svg.append(isVirus ? "circle" : "rect").attr("class", `point ${CALLS[1 - isVirus]}`);
      if (isVirus) shape.attr("cx", x(length)).attr("cy", y(score)).attr("r", 3.5);
      else shape.attr("x", x(length) - 3).attr("y", y(score) - 3).attr("width", 6).attr("height", 6);
      const id = document.querySelector(`#r${place} .id bdi`).textContent;
      title(shape, `${id}: ${count(length)} bases, score ${score.toFixed(3)}`);
      shape.on("click", () => {
        location.hash = `r${place}`;
      });
    }
    cutoffs(svg, {
      across: (value) => [xs[0], y(value), xs[1], y(value)],
      place: (value) => [xs[1] + 5, y(value) + 4],
      words: (name) => name,
      anchor: "start",
    });
    if (data.kept.length > low && data.kept.length < high) {
      line(svg, "kept", x(data.kept.length), ys[0], x(data.kept.length), ys[1]);
      const side = x(data.kept.length) < (xs[0] + xs[1]) / 2 ? "start" : "end";
      label(svg, x(data.kept.length), ys[1] - 8, `to FASTA from ${count(data.kept.length)} bases`, side).attr("class", "said");
    }
    label(svg, xs[1], ys[0] + 38, "bases", "end");
    label(svg, 4, 12, "score");
  }

  function track(box) {
    const { svg, x: xs, y: ys, axis } = canvas(box, 92, { left: 30, right: 12, top: 8, bottom: 24 });
    const bars = data.tracks[box.dataset.place];
    const x = d3.scaleLinear([0, Number(box.dataset.length)], xs);
    const y = d3.scaleLinear([0, 1], ys);
    svg.append("rect").attr("class", "ground").attr("x", xs[0]).attr("y", ys[1]).attr("width", xs[1] - xs[0]).attr("height", ys[0] - ys[1]);
    bars.forEach(([start, end, score, state], place) => {
      const until = place + 1 < bars.length ? Math.min(end, bars[place + 1][0]) : end;
      const kind = score === null ? (state === "quarantined" ? "lost" : "unread") : CALLS[1 - state];
      const top = score === null ? ys[1] : Math.min(y(score), ys[0] - 1);
      const rect = svg.append("rect").attr("class", kind).attr("x", x(start)).attr("y", top).attr("height", ys[0] - top);
      rect.attr("width", Math.max(0.5, x(until) - x(start) - (bars.length < 100 ? 1 : 0)));
      title(rect, `${count(start)} – ${count(end)}: ${chunkWords(score, state)}`);
    });
    line(svg, "cutoff", xs[0], y(data.cutoff), xs[1], y(data.cutoff));
    axis(d3.axisLeft, y, "left", (made) => made.tickValues([0, 0.5, 1]).tickSizeInner(0));
    axis(d3.axisBottom, x, "bottom", (made) => made.ticks(Math.min(6, (xs[1] - xs[0]) / 80)).tickFormat(count).tickSizeInner(4));
  }

  function chunkWords(score, state) {
    if (score === null) return state === "quarantined" ? "quarantined" : "no open frame";
    return `${score.toFixed(3)}, ${CALLS[1 - state]}`;
  }

  function lanes(box) {
    const row = 40;
    const { svg, x: xs, axis } = canvas(box, data.lanes.length * row + 40, { left: 8, right: 24, top: 4, bottom: 36 });
    const longest = Math.max(1, d3.max(data.lanes, ([, spans]) => d3.max(spans, (span) => span[1])));
    const [unit, seconds] = longest > 7200 ? ["hours", 3600] : longest > 120 ? ["minutes", 60] : ["seconds", 1];
    const x = d3.scaleLinear([0, longest / seconds], xs);
    data.lanes.forEach(([worker, spans], lane) => {
      label(svg, xs[0], lane * row + 14, worker);
      for (const [start, end, busy, name, tokens] of spans) {
        const rect = svg.append("rect").attr("class", "span").attr("x", x(start / seconds)).attr("y", lane * row + 19);
        rect.attr("width", Math.max(1, x(end / seconds) - x(start / seconds))).attr("height", 14);
        const rate = busy > 0 ? `, ${count(Math.round(tokens / busy))} tokens/s` : "";
        title(rect, `${name}: ${busy.toFixed(1)} s, ${count(tokens)} tokens${rate}`);
      }
    });
    axis(d3.axisBottom, x, "bottom", (made) => made.ticks(Math.min(8, (xs[1] - xs[0]) / 60)).tickSizeInner(4));
    label(svg, xs[1], data.lanes.length * row + 38, unit, "end");
  }

  function charts() {
    const draw = { histogram, plane, track, lanes };
    const widths = new Map();
    const watch = new ResizeObserver((entries) => {
      for (const { target } of entries) {
        if (widths.get(target) === target.clientWidth) continue;
        widths.set(target, target.clientWidth);
        draw[target.dataset.chart](target);
      }
    });
    document.querySelectorAll("[data-chart]").forEach((box) => watch.observe(box));
  }

  function chunkTables() {
    document.querySelectorAll("[data-chunks]").forEach((details) => {
      details.addEventListener(
        "toggle",
        () => {
          const table = d3.select(details).append("table");
          table.append("caption").attr("class", "hidden").text("Chunks and their scores");
          const heads = table.append("thead").append("tr");
          for (const name of ["start", "end", "score"]) heads.append("th").attr("scope", "col").attr("class", "number").text(name);
          const body = table.append("tbody");
          for (const [start, end, score, state] of data.tracks[details.dataset.chunks]) {
            const cells = body.append("tr");
            for (const text of [count(start), count(end), chunkWords(score, state)]) cells.append("td").attr("class", "number").text(text);
          }
        },
        { once: true },
      );
    });
  }

  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
    const search = document.getElementById("search");
    const filter = document.getElementById("filter");
    const callColumn = heads.findIndex((head) => head.textContent === "call");
    const found = document.getElementById("found");

    function valueOf(row, column, isNumber) {
      const { value } = row.cells[column].dataset;
      const text = value ?? row.cells[column].textContent.trim();
      if (!isNumber && value === undefined) return text === "NA" ? null : text;
      const number = Number(text.replaceAll(",", ""));
      return Number.isNaN(number) ? null : number;
    }

    function sort(head, direction) {
      const column = heads.indexOf(head);
      const values = new Map(rows.map((row) => [row, valueOf(row, column, head.dataset.kind === "number")]));
      const compare = new Intl.Collator("en", { numeric: true }).compare;
      rows.sort((one, other) => {
        const [a, b] = [values.get(one), values.get(other)];
        // What is not there comes last in both directions.
        if (a === null || b === null) return (a === null) - (b === null);
        return direction * (typeof a === "number" ? a - b : compare(a, b));
      });
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      body.append(...rows);
      show();
    }

    function show() {
      const wanted = search.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        const fits = texts.get(row).includes(wanted) && (!filter.value || row.cells[callColumn].textContent === filter.value);
        row.hidden = !fits;
        shown += fits;
        row.classList.toggle("late", shown > PRINTED_ROWS);
      }
      found.textContent = `${count(shown)} of ${count(rows.length)} rows`;
      document.getElementById("printed").textContent =
        shown > PRINTED_ROWS ? `Printed: the first ${PRINTED_ROWS} of ${count(shown)} rows.` : "";
    }

    heads.forEach((head) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const before = head.getAttribute("aria-sort");
        // Numbers are most often wanted from the highest on.
        const first = head.dataset.kind === "number" ? -1 : 1;
        sort(head, before === null ? first : before === "ascending" ? -1 : 1);
      });
    });
    const form = search.form;
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    search.addEventListener("input", show);
    filter.addEventListener("change", show);
    addEventListener("hashchange", () => {
      const row = document.querySelector("tbody tr:target");
      if (!row || !row.hidden) return;
      search.value = filter.value = "";
      show();
      row.scrollIntoView({ block: "center" });
    });
    show();
  }

  theme();
  charts();
  chunkTables();
  const table = document.getElementById("table");
  if (table) sortable(table);
  document.documentElement.dataset.ready = "yes";
})();

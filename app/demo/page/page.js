"use strict";
// Asks for what is new, shows it, and sends what a person does. Text is never taken for markup.
(() => {
  const POLL = 600;
  const KEPT = 300;
  const SIDES = ["left", "right"];
  const $ = (id) => document.getElementById(id);
  const known = { after: 0, left: -1, right: -1 };
  const panes = {};
  let away = false;
  let first = true;

  const make = (tag, name, text) => {
    const node = document.createElement(tag);
    if (name) node.className = name;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const note = (text) => { $("note").textContent = text; };

  const ask = async (path, method = "GET", body) => {
    const headers = { "X-Twinlink-Demo": "1" };
    if (body) headers["Content-Type"] = "application/json";
    const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    const said = answer.status === 204 ? null : await answer.json();
    if (!answer.ok) throw new Error(said.detail || said.title || `answered ${answer.status}`);
    return said;
  };
  const act = async (...what) => {
    try {
      await ask(...what);
      note("");
      await look();
    } catch (error) {
      note(error.message);
    }
  };

  const set = (side, choices) => {
    const section = document.querySelector(`[data-side="${side}"]`);
    const body = section.querySelector(".body");
    body.append($("site").content.cloneNode(true));
    section.querySelector(".kind").textContent = choices.title;
    const form = body.querySelector("form");
    const keys = body.querySelector("datalist");
    keys.id = `${side}-issues`;
    keys.append(...choices.issues.map((key) => Object.assign(make("option"), { value: key })));
    for (const name of ["source", "destination"]) form[name].setAttribute("list", keys.id);
    form.source.value = choices.issues.find((key) => key.endsWith("-10")) || "";
    form.destination.value = choices.issues.find((key) => key.endsWith("-20")) || "";
    for (const type of choices.types) {
      const option = make("option", "", type.words);
      option.value = type.name;
      form.type.append(option);
    }
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const { source, type, destination } = form;
      const sent = { source: source.value, type: type.value, destination: destination.value };
      act(`/demo/links/${side}`, "POST", sent);
    });
    const list = body.querySelector(".list");
    list.setAttribute("aria-label", `Links on the ${side}`);
    const find = body.querySelector("[type=search]");
    find.addEventListener("input", () => draw(side));
    panes[side] = { body, list, find, links: [] };
  };

  const draw = (side) => {
    const { list, find, links } = panes[side];
    const wanted = find.value.trim().toUpperCase();
    const fits = (link) => !wanted || link.by.toUpperCase().includes(wanted)
      || [link.source, link.destination].some((key) => key === wanted || key.startsWith(wanted));
    const shown = links.filter(fits);
    const inside = list.contains(document.activeElement);
    list.replaceChildren(...shown.map((link) => row(side, link)));
    if (!shown.length) list.append(make("li", "none", "No link here."));
    if (inside) list.focus(); // the button that was pressed is gone
  };
  const row = (side, link) => {
    const item = make("li");
    const what = make("span");
    what.append(make("span", "key", link.source), " ", make("span", "words", link.words), " ",
      make("span", "key", link.destination));
    const remove = make("button", "", "Unlink");
    remove.type = "button";
    remove.setAttribute("aria-label", `Unlink ${what.textContent}`);
    remove.addEventListener("click", () => act(`/demo/links/${side}/${link.id}`, "DELETE"));
    item.append(what, make("span", link.ours ? "by ours" : "by", link.by), remove);
    return item;
  };

  const show = (side, site) => {
    const pane = panes[side];
    const put = (name, text) => { pane.body.querySelector(`.${name}`).textContent = text; };
    put("links", site.links);
    put("unmanaged", site.unmanaged);
    put("fingerprint", site.intact ? site.fingerprint : "NOT INTACT");
    pane.body.querySelector(".fingerprint").classList.toggle("bad", !site.intact);
    known[side] = site.changes;
    if (site.list) {
      pane.links = site.list;
      draw(side);
    }
  };

  const showConnection = (it) => {
    if (!it) return;
    const { status, guard } = it;
    const busy = status.backlog + status.in_flight + status.delayed + status.resyncs;
    $("mode").textContent = it.paused ? "paused" : it.mode;
    $("work").textContent = busy ? `${busy} to do` : "at rest";
    $("held").textContent = status.held ? `${status.held} removals` : "nothing";
    const hour = guard.windows.find((window) => window.scope === "hour");
    const used = hour ? `, ${hour.used} of ${hour.limit} an hour` : "";
    $("guard").textContent = guard.state + used;
    const tripped = guard.state === "tripped";
    $("guard-fact").classList.toggle("alert", tripped);
    $("reset").hidden = $("why").hidden = !tripped;
  };

  const showFeed = (entries) => {
    const list = $("entries");
    const lines = entries.map((entry) => {
      const item = make("li", first ? entry.kind : `${entry.kind} new`);
      const at = new Date(entry.at * 1000);
      const millis = String(at.getMilliseconds()).padStart(3, "0");
      const time = make("time", "", `${at.toLocaleTimeString("en-GB")}.${millis}`);
      time.dateTime = at.toISOString();
      const kind = entry.kind === "call" ? "Jira call" : entry.kind;
      item.append(time, make("span", "tag", kind), make("span", "where", entry.site),
        make("span", "what", entry.text), make("span", "detail", entry.detail));
      known.after = entry.number;
      return item;
    });
    list.prepend(...lines.reverse());
    while (list.children.length > KEPT) list.lastElementChild.remove();
    first = false;
  };

  const look = async () => {
    const { after, left, right } = known;
    const state = await ask(`/demo/state?after=${after}&left=${left}&right=${right}`);
    if (after !== known.after) return; // another look was faster
    for (const side of SIDES) show(side, state.sites[side]);
    showConnection(state.connection);
    showFeed(state.feed);
    if (away) note("");
    away = false;
  };
  const watch = async () => {
    try {
      if (!document.hidden) await look();
    } catch {
      away = true;
      note("The demo does not answer; it may have ended.");
    }
    setTimeout(watch, POLL);
  };

  $("reset").addEventListener("click", () => act("/demo/guard/reset", "POST"));
  ask("/demo/choices").then((choices) => {
    for (const side of SIDES) set(side, choices[side]);
    watch();
  }, (error) => note(error.message));
})();

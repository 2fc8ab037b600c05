// Refreshes the live parts of a page in place. Everything works without it.
(() => {
  if (!document.querySelector("[data-live]")) return;
  const here = location.pathname + location.search;
  const open = (part) => [...part.querySelectorAll("details[open] > summary")].map((it) => it.textContent);
  const put = (part, next) => {
    const kept = open(part);
    for (const it of next.querySelectorAll("summary")) {
      if (kept.includes(it.textContent)) it.parentElement.open = true;
    }
    if (next.innerHTML !== part.innerHTML) part.innerHTML = next.innerHTML;
  };
  const refresh = async () => {
    const answer = await fetch(here, { credentials: "same-origin" });
    if (answer.redirected || !answer.ok) return location.reload();
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
      if (next && !part.contains(document.activeElement)) put(part, next);
    }
  };
  const follow = () => {
    const source = new EventSource("/live?path=" + encodeURIComponent(here));
    source.addEventListener("changed", refresh);
    source.addEventListener("over", () => { source.close(); location.reload(); });
    // Closed for good: refused, as with too many pages open. Look without it, and ask again.
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(() => { refresh(); follow(); }, 15000);
    });
  };
  follow();
})();

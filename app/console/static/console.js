// Refreshes the live parts of a page in place. Everything works without it.
(() => {
  if (!document.querySelector("[data-live]")) return;
  const here = location.pathname + location.search;
  const refresh = async () => {
    const answer = await fetch(here, { credentials: "same-origin" });
    if (answer.redirected || !answer.ok) return location.reload();
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
      if (next && next.innerHTML !== part.innerHTML && !part.contains(document.activeElement)) {
        part.innerHTML = next.innerHTML;
      }
    }
  };
  const source = new EventSource("/live?path=" + encodeURIComponent(here));
  source.addEventListener("changed", refresh);
  source.addEventListener("over", () => { source.close(); location.reload(); });
})();

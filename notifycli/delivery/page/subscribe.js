"use strict";

// Where the browser's own push service hasn't started, subscribe() never answers.
const PATIENCE_MS = 20000;
const button = document.getElementById("subscribe");
const status = document.getElementById("status");
const trouble = document.getElementById("trouble");

class Told extends Error {}

function obstacle() {
  if (!("serviceWorker" in navigator) || !("PushManager" in window)) {
    return "This browser can't receive pushes here. Private windows can't; open this page in an ordinary one.";
  }
  if (Notification.permission === "denied") {
    return "This browser refuses notifications of this page. Allow them in the page's settings, beside its address, and reload.";
  }
  return "";
}

function bytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}

function soon(promise) {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Told("The browser's push service doesn't answer. Reload this page and try again.")), PATIENCE_MS);
  });
  return Promise.race([promise, late]);
}

async function subscribe() {
  if ((await Notification.requestPermission()) !== "granted") {
    throw new Told("Without the permission to show notifications there are no pushes. Press the button again and allow them.");
  }
  status.textContent = "Subscribing…";
  const { scope } = button.dataset;
  await navigator.serviceWorker.register(`${scope}worker.js`, { scope });
  const worker = await soon(navigator.serviceWorker.ready);
  // One of a key that was replaced stands in the way of a new one.
  await (await soon(worker.pushManager.getSubscription()))?.unsubscribe();
  const subscription = await soon(
    worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(button.dataset.key) }),
  );
  const answer = await fetch("subscription", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(subscription),
  });
  if (!answer.ok) {
    throw new Told(`notifycli could not keep the subscription: ${await answer.text()}`);
  }
}

function words(error) {
  if (error instanceof Told) {
    return error.message;
  }
  if (error.name === "NotAllowedError") {
    return "This browser refuses notifications of this page. Allow them in the page's settings, beside its address. Private windows never do.";
  }
  if (error.name === "AbortError") {
    return "The browser could not reach its push service. It may be switched off in the browser's settings, or blocked by the network.";
  }
  if (error instanceof TypeError && !navigator.onLine) {
    return "There is no network.";
  }
  return `It did not work: ${error.message || error.name}. Is notifycli still running?`;
}

button.addEventListener("click", async () => {
  button.disabled = true;
  trouble.textContent = "";
  status.textContent = "Your browser asks whether notifications may be shown: allow it.";
  try {
    await subscribe();
    status.textContent = "Done: this browser is subscribed, and this page can be closed.";
    button.hidden = true;
  } catch (error) {
    status.textContent = "";
    trouble.textContent = words(error);
    button.disabled = false;
  }
});

trouble.textContent = obstacle();
button.disabled = trouble.textContent !== "";

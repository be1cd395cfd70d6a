"use strict";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

function read(data) {
  try {
    return data.json();
  } catch {
    // Whatever it is, a push that shows nothing costs the subscription.
    return { title: "A notification that can't be read", body: "", tag: "notifycli", url: "" };
  }
}

self.addEventListener("push", (event) => {
  const { title, body, tag, url } = read(event.data);
  // A later push of a conversation takes the place of the earlier one, and is heard again.
  event.waitUntil(self.registration.showNotification(title, { body, tag, renotify: true, data: { url } }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = event.notification.data?.url;
  if (url) {
    event.waitUntil(self.clients.openWindow(url));
  }
});

// Nobody is there to be told of the new subscription but the person in front of the browser.
self.addEventListener("pushsubscriptionchange", (event) => {
  event.waitUntil(
    self.registration.showNotification("Pushes have ended in this browser", {
      body: "Subscribe it again: notifycli push subscribe",
      tag: "notifycli",
      data: {},
    }),
  );
});

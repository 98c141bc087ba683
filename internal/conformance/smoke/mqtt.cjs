// What a user of npm mqtt does with the broker: each QoS, a retained message, a session that outlives its connection,
// a will, and WebSocket. Usage: node mqtt.cjs HOST:PORT
"use strict";
const assert = require("node:assert/strict");
const mqtt = require("mqtt");

const url = `mqtt://${process.argv[2]}`;
const connect = (options) => mqtt.connectAsync(url, { protocolVersion: 4, reconnectPeriod: 0, ...options });

// next gives the next message to a client as [topic, text, retain].
const next = (client) => new Promise((resolve) => client.once("message", (topic, payload, packet) => resolve([topic, payload.toString(), packet.retain])));

async function main() {
  const a = await connect();
  const b = await connect();
  for (const qos of [0, 1, 2]) {
    const granted = await a.subscribeAsync(`smoke/${qos}/#`, { qos });
    assert.equal(granted[0].qos, qos);
    const message = next(a);
    await b.publishAsync(`smoke/${qos}/x`, `QoS ${qos} ü`, { qos });
    assert.deepEqual(await message, [`smoke/${qos}/x`, `QoS ${qos} ü`, false]);
  }

  await b.publishAsync("smoke/state", "open", { qos: 1, retain: true });
  // A broker may acknowledge a retained message before later subscribers are given it: ask until it is there.
  const late = await connect();
  let retained;
  next(late).then((message) => (retained = message));
  while (!retained) await late.subscribeAsync("smoke/state", { qos: 1 });
  assert.deepEqual(retained, ["smoke/state", "open", true]);
  await late.endAsync();

  const session = { clientId: "smoke-session", clean: false };
  const first = await connect(session);
  await first.subscribeAsync("smoke/inbox", { qos: 1 });
  await first.endAsync();
  await b.publishAsync("smoke/inbox", "while away", { qos: 1 });
  const second = mqtt.connect(url, { protocolVersion: 4, reconnectPeriod: 0, ...session });
  const [, connack] = await Promise.all([next(second).then((m) => assert.deepEqual(m, ["smoke/inbox", "while away", false])), new Promise((resolve) => second.once("connect", resolve))]);
  assert.equal(connack.sessionPresent, true);
  await second.endAsync();

  await a.subscribeAsync("smoke/will", { qos: 1 });
  const will = next(a);
  const victim = await connect({ will: { topic: "smoke/will", payload: "gone", qos: 1 } });
  victim.stream.destroy();
  assert.deepEqual(await will, ["smoke/will", "gone", false]);

  await Promise.all([a.endAsync(), b.endAsync()]);
  console.log("ok");
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});

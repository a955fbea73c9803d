/** The text of `millrace --help`. Any thread. */

import type { Command } from './commands.ts';

/** The text, with its line ends. */
export function helpText(version: string, commands: ReadonlyMap<string, Command>): string {
  const listed = [...commands].map(([name, { summary }]) => `  ${name.padEnd(26)} ${summary}`);
  return `Millrace ${version}: an event broker that speaks Kafka's protocol.

Usage: millrace [options]            starts a broker
${listed.length === 0 ? '' : `       millrace COMMAND [options]\n\nCommands:\n${listed.join('\n')}\n`}
Options:
  --data DIR                 where everything is kept (./millrace-data)
  --kafka HOST:PORT          Kafka over TCP (127.0.0.1:9092); port 0 takes any free one, off opens none
  --http HOST:PORT           HTTP and WebSocket (127.0.0.1:8080); as above
  --set KEY=VALUE            any broker setting by Kafka's name, such as log.retention.ms; as often as you like
  --config FILE              settings from a file in the syntax of server.properties
  --allow-unauthenticated    lets other machines reach the broker, though nobody has to say who they are
  --log-level LEVEL          debug, info, warn, error or silent (info)
  -h, --help                 this text
  -v, --version              the release

Everything can also be set by environment variables: MILLRACE_DATA, MILLRACE_KAFKA, MILLRACE_HTTP, MILLRACE_CONFIG,
MILLRACE_LOG_LEVEL, MILLRACE_ALLOW_UNAUTHENTICATED=true, and any setting, as MILLRACE_LOG_RETENTION_MS. Flags win over
variables, variables over the file.
`;
}

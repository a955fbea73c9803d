/** Names from outside within sentences that are sent back. Any thread. */

const longestShown = 249;

/** The name, cut where it is longer than a topic's may be: a response's strings are short, a client's need not be. */
export function shownName(name: string): string {
  return name.length <= longestShown ? name : `${name.slice(0, longestShown)}…`;
}

/**
 * Which members of consumer groups take themselves for the owners of which partitions, and for how long. Pure.
 * A member owns a partition from when it hears so until it gives it up, or until its session may have ended: so long after
 * it sent the last heartbeat that was answered. No partition has two owners at a time.
 */

export class OwnershipLedger {
  /** Until when each owner of a partition of a group may rely on it, in virtual milliseconds. */
  readonly #owners = new Map<string, Map<string, number>>();

  /** The member heard that it has the partition. Returns what is wrong with that, or null. */
  claim(place: string, member: string, untilMs: number, nowMs: number): string | null {
    let owners = this.#owners.get(place);
    if (owners === undefined) this.#owners.set(place, (owners = new Map()));
    owners.set(member, untilMs);
    for (const [other, otherUntilMs] of owners) {
      if (other === member) continue;
      if (otherUntilMs > nowMs) return `two members have ${place}: ${other} and ${member}`;
      owners.delete(other);
    }
    return null;
  }

  /** The member gave the partition up. */
  release(place: string, member: string): void {
    this.#owners.get(place)?.delete(member);
  }
}

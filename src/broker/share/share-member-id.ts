/**
 * Which ids members of share groups may have: they make them themselves, as the text of a UUID. Any thread.
 */

const maxLength = 36;

export function isShareMemberId(memberId: string | null): memberId is string {
  return memberId !== null && memberId !== '' && memberId.length <= maxLength;
}

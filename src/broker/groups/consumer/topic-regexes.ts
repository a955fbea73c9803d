/**
 * Regular expressions over the names of topics. I/O thread.
 */

export class TopicRegexes {
  /** What is wrong with an expression, or null. */
  problemOf(_regex: string): string | null {
    return 'this broker has no engine for regular expressions';
  }
}

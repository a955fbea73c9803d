/**
 * What is used of re2js, a port of RE2 to JavaScript (MIT), so that the sources can be checked where it is not installed.
 */

declare module 're2js' {
  export class RE2JS {
    /** Throws `RE2JSSyntaxException`. */
    static compile(pattern: string): RE2JS;
    /** Whether all of `text` matches. */
    matches(text: string): boolean;
    /** Instructions of the compiled program. */
    programSize(): number;
  }

  export class RE2JSSyntaxException extends Error {
    /** What is wrong, without the pattern. */
    getDescription(): string;
  }
}

/** What is used of cli-progress, which brings no types. */
declare module 'cli-progress' {
  export class SingleBar {
    constructor(options: { readonly format: string });
    start(total: number, startValue: number, payload: Readonly<Record<string, unknown>>): void;
    update(value: number, payload: Readonly<Record<string, unknown>>): void;
    stop(): void;
  }
}

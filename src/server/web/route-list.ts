/**
 * Which handler serves a method and a path. Any thread.
 *
 *   /topics/:topic/records   `:name` stands for one segment that is not empty; `/*` at the end for anything
 *
 * Routes of the request's own method go before those of any method; among those that fit, the one goes first that has a
 * fixed segment where the other has a parameter.
 */

/** As it is registered; `any`: whatever the method. */
type RouteMethod = string;

interface Route<Handler> {
  readonly segments: readonly string[];
  /** Compares with those of other routes: what is fixed goes first. */
  readonly rank: string;
  readonly handler: Handler;
}

const parameterMark = ':';
const anything = '*';

export class RouteList<Handler> {
  readonly #byMethod = new Map<RouteMethod, Route<Handler>[]>();

  /** `method` is in upper case, as clients send it, or `any`. */
  add(method: RouteMethod, pattern: string, handler: Handler): void {
    const segments = segmentsOf(pattern);
    const rank = segments
      .map((segment) => (segment === anything ? '2' : segment.startsWith(parameterMark) ? '1' : '0'))
      .join('');
    const routes = this.#byMethod.get(method) ?? [];
    routes.push({ segments, rank, handler });
    routes.sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0));
    this.#byMethod.set(method, routes);
  }

  /** The handler, and what stands for its parameters as it came; null where none fits. */
  find(method: string, path: string): { readonly handler: Handler; readonly parameters: readonly string[] } | null {
    const segments = segmentsOf(path);
    return this.#find(method, segments) ?? this.#find('any', segments);
  }

  #find(method: RouteMethod, segments: readonly string[]) {
    for (const { segments: pattern, handler } of this.#byMethod.get(method) ?? []) {
      const parameters = parametersOf(pattern, segments);
      if (parameters !== null) return { handler, parameters };
    }
    return null;
  }
}

function segmentsOf(path: string): string[] {
  return path.slice(1).split('/');
}

function parametersOf(pattern: readonly string[], segments: readonly string[]): string[] | null {
  const parameters: string[] = [];
  for (const [i, part] of pattern.entries()) {
    if (part === anything) return parameters;
    const segment = segments[i];
    if (segment === undefined) return null;
    if (!part.startsWith(parameterMark)) {
      if (part !== segment) return null;
    } else if (segment === '') return null;
    else parameters.push(segment);
  }
  return pattern.length === segments.length ? parameters : null;
}

import type { FastifyBaseLogger } from 'fastify'

/** A request's logger, made when it has something to say: few have, and one costs as much as the route to their handler. */
export class RequestLog {
  private readonly parent: FastifyBaseLogger
  private readonly bindings: Record<string, unknown>
  private made: FastifyBaseLogger | null = null

  constructor(parent: FastifyBaseLogger, bindings: Record<string, unknown>) {
    this.parent = parent
    this.bindings = bindings
  }

  private get log(): FastifyBaseLogger {
    this.made ??= this.parent.child(this.bindings)
    return this.made
  }

  get level(): string {
    return this.parent.level
  }

  child(...given: Parameters<FastifyBaseLogger['child']>): FastifyBaseLogger {
    return this.log.child(...given)
  }

  fatal(...given: unknown[]): void {
    this.write('fatal', given)
  }

  error(...given: unknown[]): void {
    this.write('error', given)
  }

  warn(...given: unknown[]): void {
    this.write('warn', given)
  }

  info(...given: unknown[]): void {
    this.write('info', given)
  }

  debug(...given: unknown[]): void {
    this.write('debug', given)
  }

  trace(...given: unknown[]): void {
    this.write('trace', given)
  }

  silent(): void {}

  private write(level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace', given: unknown[]): void {
    ;(this.log[level] as (...values: unknown[]) => void)(...given)
  }
}

import { StartupError } from './startup-error.js'

interface ListenTarget {
  readonly host: string
  readonly port: number
  /** The variable that chooses the port, named in the sentence. */
  readonly variable: string
}

/** Runs a `listen`; what an operator can mend (a taken or forbidden port, a foreign address) becomes a StartupError. */
export async function listenOrExplain(
  { host, port, variable }: ListenTarget,
  listen: () => Promise<unknown>,
): Promise<void> {
  try {
    await listen()
  } catch (error) {
    const reason = REASONS[(error as NodeJS.ErrnoException).code ?? '']
    if (!reason) throw error
    throw new StartupError(reason(host, port, variable), { cause: error })
  }
}

const REASONS: Readonly<Record<string, (host: string, port: number, variable: string) => string>> = {
  EADDRINUSE: (host, port, variable) =>
    `Port ${port} on ${host} is already in use: stop what listens there, or choose another port with ${variable}.`,
  EACCES: (host, port, variable) =>
    `This user may not listen on port ${port} of ${host}: choose a port above 1023 with ${variable}.`,
  EADDRNOTAVAIL: (host) =>
    `${host} is not an address of this machine: set ENDCAP_HOST to one that is, or to 0.0.0.0.`,
  ENOTFOUND: (host) =>
    `The host name ${host} cannot be resolved: set ENDCAP_HOST to an address of this machine.`,
}

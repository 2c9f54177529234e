import type { Scope } from '@endcap/contracts'

/**
 * Who may call a route. Every route must carry one in `config.access`; registering a route without it throws.
 * `scopes`: any one of them is enough; `operator` always is. `merchant`: any `merchant:<id>` key or an operator;
 * the handler then checks the object's merchant with `caller.mayActFor`, and answers 404 when it may not.
 */
export type Access =
  | { readonly kind: 'public' }
  | { readonly kind: 'scopes'; readonly anyOf: readonly Scope[] }
  | { readonly kind: 'merchant'; readonly alsoAnyOf: readonly Scope[] }

export const publicAccess: Access = { kind: 'public' }
export const scopes = (...anyOf: Scope[]): Access => ({ kind: 'scopes', anyOf })
export const merchantAccess = (...alsoAnyOf: Scope[]): Access => ({ kind: 'merchant', alsoAnyOf })

export interface Caller {
  readonly keyId: string
  readonly scopes: readonly string[]
  readonly isOperator: boolean
  /** The merchants of `merchant:<id>` scopes. */
  readonly merchantIds: ReadonlySet<string>
  /** Operator, or a key of this merchant. */
  mayActFor(merchantId: string): boolean
}

/** Finds the caller of a presented key (without "Bearer "); undefined when it is unknown or revoked. */
export type KeyVerifier = (key: string) => Promise<Caller | undefined> | Caller | undefined

const MERCHANT_SCOPE = 'merchant:'

/** The caller that a key with these scopes stands for. */
export function callerOf(keyId: string, keyScopes: readonly string[]): Caller {
  const isOperator = keyScopes.includes('operator')
  const merchantIds = new Set(
    keyScopes
      .filter((scope) => scope.startsWith(MERCHANT_SCOPE))
      .map((scope) => scope.slice(MERCHANT_SCOPE.length)),
  )
  return {
    keyId,
    scopes: keyScopes,
    isOperator,
    merchantIds,
    mayActFor: (merchantId) => isOperator || merchantIds.has(merchantId),
  }
}

/** Whether this caller may call a route with this access. */
export function mayCall(caller: Caller, access: Access): boolean {
  if (caller.isOperator || access.kind === 'public') return true
  if (access.kind === 'scopes') return access.anyOf.some((scope) => caller.scopes.includes(scope))
  return caller.merchantIds.size > 0 || access.alsoAnyOf.some((scope) => caller.scopes.includes(scope))
}

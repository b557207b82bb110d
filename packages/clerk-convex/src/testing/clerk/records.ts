import { randomBytes } from 'node:crypto'
import type { OrganizationJSON, OrganizationMembershipJSON, SessionJSON, UserJSON } from './types.ts'

/** Ids as Clerk's look: a prefix and 27 letters and digits. */
export function newId(prefix: string): string {
  const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  return `${prefix}_${[...randomBytes(27)].map((byte) => alphabet[byte % alphabet.length]).join('')}`
}

export interface NewUser {
  readonly email: string
  readonly firstName?: string
  readonly lastName?: string
  readonly externalId?: string
  /** @default true */
  readonly verified?: boolean
}

export function userRecord(input: NewUser, nowMs: number): UserJSON {
  const id = newId('user')
  const addressId = newId('idn')
  return {
    object: 'user',
    id,
    username: null,
    first_name: input.firstName ?? null,
    last_name: input.lastName ?? null,
    image_url: '',
    has_image: false,
    primary_email_address_id: addressId,
    primary_phone_number_id: null,
    primary_web3_wallet_id: null,
    password_enabled: false,
    two_factor_enabled: false,
    totp_enabled: false,
    backup_code_enabled: false,
    email_addresses: [
      {
        object: 'email_address',
        id: addressId,
        email_address: input.email,
        verification: {
          object: 'email_address',
          id: newId('ver'),
          status: input.verified === false ? 'unverified' : 'verified',
          strategy: 'email_code',
          attempts: 1,
          expire_at: nowMs + 600_000,
        },
        linked_to: [],
      },
    ],
    phone_numbers: [],
    web3_wallets: [],
    organization_memberships: null,
    external_accounts: [],
    enterprise_accounts: [],
    password_last_updated_at: null,
    public_metadata: {},
    private_metadata: {},
    unsafe_metadata: {},
    external_id: input.externalId ?? null,
    last_sign_in_at: null,
    banned: false,
    locked: false,
    deprovisioned: false,
    lockout_expires_in_seconds: null,
    verification_attempts_remaining: 100,
    created_at: nowMs,
    updated_at: nowMs,
    last_active_at: null,
    create_organization_enabled: true,
    create_organizations_limit: null,
    delete_self_enabled: true,
    legal_accepted_at: null,
    locale: null,
    timezone: null,
  }
}

export interface NewOrganization {
  readonly name: string
  /** @default made of the name */
  readonly slug?: string
  readonly createdBy?: string
}

export function organizationRecord(input: NewOrganization, nowMs: number): OrganizationJSON {
  return {
    object: 'organization',
    id: newId('org'),
    name: input.name,
    slug: input.slug ?? input.name.toLowerCase().replace(/[^a-z0-9]+/g, '-'),
    image_url: '',
    has_image: false,
    max_allowed_memberships: 5,
    admin_delete_enabled: true,
    public_metadata: {},
    private_metadata: {},
    ...(input.createdBy === undefined ? {} : { created_by: input.createdBy }),
    created_at: nowMs,
    updated_at: nowMs,
  }
}

export interface NewMembership {
  readonly organization: OrganizationJSON
  readonly user: UserJSON
  /** With its prefix: `org:admin`. */
  readonly role: string
  /** `org:feature:permission`. @default none */
  readonly permissions?: readonly string[]
}

export function membershipRecord(input: NewMembership, nowMs: number): OrganizationMembershipJSON {
  const { organization, user, role, permissions = [] } = input
  return {
    object: 'organization_membership',
    id: newId('orgmem'),
    public_metadata: {},
    private_metadata: {},
    role,
    permissions: [...permissions],
    created_at: nowMs,
    updated_at: nowMs,
    organization,
    public_user_data: {
      identifier: user.email_addresses[0]?.email_address ?? '',
      first_name: user.first_name,
      last_name: user.last_name,
      image_url: user.image_url,
      has_image: user.has_image,
      user_id: user.id,
    },
  }
}

export function sessionRecord(userId: string, organizationId: string | undefined, nowMs: number): SessionJSON {
  return {
    object: 'session',
    id: newId('sess'),
    client_id: newId('client'),
    user_id: userId,
    status: 'active',
    ...(organizationId === undefined ? {} : { last_active_organization_id: organizationId }),
    actor: null,
    last_active_at: nowMs,
    expire_at: nowMs + 7 * 86_400_000,
    abandon_at: nowMs + 30 * 86_400_000,
    created_at: nowMs,
    updated_at: nowMs,
  }
}

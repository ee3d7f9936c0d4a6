// SPDX-License-Identifier: BSD-2-Clause

/**
 * A refusal of the daemon, with its code (docs/control.md); or 'no-daemon', 'timeout', or 'closed': by close(), or by
 * the daemon, which ends or drops who is more than 256 KiB behind its events.
 */
export class TpmauthnError extends Error {
    constructor(code: string, message: string);
    readonly code: string;
}

/** The statuses of CTAP that an authenticator answers with, by their names. */
export const status: {
    readonly CTAP1_ERR_INVALID_COMMAND: 0x01;
    readonly CTAP1_ERR_INVALID_PARAMETER: 0x02;
    readonly CTAP1_ERR_INVALID_LENGTH: 0x03;
    readonly CTAP1_ERR_INVALID_SEQ: 0x04;
    readonly CTAP1_ERR_TIMEOUT: 0x05;
    readonly CTAP1_ERR_CHANNEL_BUSY: 0x06;
    readonly CTAP1_ERR_LOCK_REQUIRED: 0x0a;
    readonly CTAP1_ERR_INVALID_CHANNEL: 0x0b;
    readonly CTAP2_ERR_CBOR_UNEXPECTED_TYPE: 0x11;
    readonly CTAP2_ERR_INVALID_CBOR: 0x12;
    readonly CTAP2_ERR_MISSING_PARAMETER: 0x14;
    readonly CTAP2_ERR_LIMIT_EXCEEDED: 0x15;
    readonly CTAP2_ERR_LARGE_BLOB_STORAGE_FULL: 0x18;
    readonly CTAP2_ERR_CREDENTIAL_EXCLUDED: 0x19;
    readonly CTAP2_ERR_INVALID_CREDENTIAL: 0x22;
    readonly CTAP2_ERR_NO_OPERATIONS: 0x25;
    readonly CTAP2_ERR_UNSUPPORTED_ALGORITHM: 0x26;
    readonly CTAP2_ERR_OPERATION_DENIED: 0x27;
    readonly CTAP2_ERR_KEY_STORE_FULL: 0x28;
    readonly CTAP2_ERR_UNSUPPORTED_OPTION: 0x2b;
    readonly CTAP2_ERR_INVALID_OPTION: 0x2c;
    readonly CTAP2_ERR_KEEPALIVE_CANCEL: 0x2d;
    readonly CTAP2_ERR_NO_CREDENTIALS: 0x2e;
    readonly CTAP2_ERR_USER_ACTION_TIMEOUT: 0x2f;
    readonly CTAP2_ERR_NOT_ALLOWED: 0x30;
    readonly CTAP2_ERR_PIN_INVALID: 0x31;
    readonly CTAP2_ERR_PIN_BLOCKED: 0x32;
    readonly CTAP2_ERR_PIN_AUTH_INVALID: 0x33;
    readonly CTAP2_ERR_PIN_AUTH_BLOCKED: 0x34;
    readonly CTAP2_ERR_PIN_NOT_SET: 0x35;
    readonly CTAP2_ERR_PUAT_REQUIRED: 0x36;
    readonly CTAP2_ERR_PIN_POLICY_VIOLATION: 0x37;
    readonly CTAP2_ERR_REQUEST_TOO_LARGE: 0x39;
    readonly CTAP2_ERR_UV_BLOCKED: 0x3c;
    readonly CTAP2_ERR_INTEGRITY_FAILURE: 0x3d;
    readonly CTAP2_ERR_INVALID_SUBCOMMAND: 0x3e;
    readonly CTAP2_ERR_UNAUTHORIZED_PERMISSION: 0x40;
    readonly CTAP1_ERR_OTHER: 0x7f;
};

export type StatusName = keyof typeof status;

interface OfDevice {
    device: number;
    /** Milliseconds since 1970. */
    time: number;
}

/** A question has been put to the person. */
export interface QuestionEvent extends OfDevice {
    type: 'question';
    /** What is to be done, such as 'create' or 'use'. */
    verb: string;
    rp_id?: string;
    account?: string;
    /** This device has nothing for the site, which is told so after a yes: another one may be meant. */
    passive: boolean;
    /** It takes the PIN. */
    verify: boolean;
    /** With verify: how many tries are left, and whether a wrong PIN has just been given. */
    tries?: number;
    again?: boolean;
}

export interface VerdictEvent extends OfDevice {
    type: 'verdict';
    verdict: 'yes' | 'no' | 'timeout' | 'cancelled';
}

/** A CTAP command was answered. */
export interface DoneEvent extends OfDevice {
    type: 'done';
    command: string;
    status: number;
    status_name: string;
    rp_id?: string;
}

export interface PluggedEvent extends OfDevice {
    type: 'plugged';
    /** Its node, or the socket that stands for one. */
    path: string;
}

export interface UnpluggedEvent extends OfDevice {
    type: 'unplugged';
}

export type Event = QuestionEvent | VerdictEvent | DoneEvent | PluggedEvent | UnpluggedEvent;

/** A message of CTAPHID. */
export interface Frame {
    type: 'frame';
    device: number;
    /** Nanoseconds since 1970. */
    time: bigint;
    direction: 'in' | 'out';
    cid: number;
    command: number;
    payload: Uint8Array;
}

/** Read it: the daemon drops who is slow, and that is an error here. */
export class Events<E extends { type: string } = Event> implements AsyncIterableIterator<E> {
    private constructor();
    /**
     * The next event of this type, or for which this is true; those before it are forgotten.
     * The timeout is in milliseconds, and without one that of the Authenticator. 0 and Infinity: none.
     */
    until<T extends E['type']>(type: T, options?: { timeout?: number }): Promise<Extract<E, { type: T }>>;
    until(fits: (event: E) => boolean, options?: { timeout?: number }): Promise<E>;
    next(): Promise<IteratorResult<E, undefined>>;
    return(): Promise<IteratorResult<E, undefined>>;
    close(): void;
    [Symbol.asyncIterator](): this;
}

/** What a passkey is made from: no private key, which is made in the TPM. */
export interface SeedCredential {
    rp_id: string;
    user: { id: string; name?: string; displayName?: string };
    discoverable?: boolean;
    [member: string]: unknown;
}

/** A passkey as WebAuthn knows it. Bytes are in base64url. */
export interface WebAuthnCredential {
    id: string;
    [member: string]: unknown;
}

export interface DeviceStatus {
    device: number;
    state: string;
    reason?: string;
    name?: string;
    /** Its node, or the socket that stands for one. */
    path?: string;
    simulator?: boolean;
    [member: string]: unknown;
}

export interface PinStatus {
    set: boolean;
    [member: string]: unknown;
}

export interface ListedCredential {
    /** Its id in hex. */
    credential: string;
    rp_id?: string;
    user_name?: string;
    [member: string]: unknown;
}

export interface AuthenticatorOptions {
    /** The control socket; by default TPMAUTHN_CTL, which `tpmauthn ci run` sets. */
    socket?: string;
    /** 0 or '0' is the first. */
    device?: number | string;
    /** Milliseconds until an answer or event is given up; by default a minute. 0 and Infinity: never. */
    timeout?: number;
}

export class Authenticator {
    constructor(options?: AuthenticatorOptions);
    readonly device: number;

    /** Yes to the question that waits, or else to the next one; always: from now on. */
    approve(options?: { always?: boolean }): Promise<void>;
    /** No, likewise. */
    deny(options?: { always?: boolean }): Promise<void>;
    /** From now on questions are answered as the daemon is configured. */
    ask(): Promise<void>;
    /** The question that waits, or else the next one, is never answered. */
    ignore(): Promise<void>;
    /** From now on each yes comes after so many milliseconds; 0 ends it. */
    delay(ms: number): Promise<void>;
    /** From now on a yes is given with this PIN; once: to the next question that takes one. */
    enterPin(pin: string, options?: { once?: boolean }): Promise<void>;
    forgetPin(): Promise<void>;
    /** Built-in user verification succeeds, fails, or fails until no try is left. */
    uv(outcome: 'ok' | 'fail' | 'blocked'): Promise<void>;
    /** The next CTAP2 command, getInfo excepted, or the next of this name, is answered by this status. */
    failNext(status: StatusName | number, command?: string): Promise<void>;
    /** Pulls the device out and plugs it in again; returns when it can be used. */
    replug(): Promise<DeviceStatus>;
    /** Erases every passkey and the PIN; returns when the device can be used. */
    reset(): Promise<DeviceStatus>;
    setPin(pin: string): Promise<void>;
    changePin(old: string, pin: string): Promise<void>;
    pinStatus(): Promise<PinStatus>;
    status(): Promise<DeviceStatus>;
    /** Waits until the device can be used. */
    ready(): Promise<DeviceStatus>;
    list(): Promise<ListedCredential[]>;
    credentials(): Promise<WebAuthnCredential[]>;
    /** By its id in base64url or hex, or the beginning of it in hex. */
    show(id: string): Promise<ListedCredential>;
    /** By its id, likewise. */
    delete(id: string): Promise<void>;
    /** Makes passkeys, with keys of the TPM. */
    seed(fixture: SeedCredential[] | { credentials: SeedCredential[] }): Promise<WebAuthnCredential[]>;
    /** What happens from now on: it is complete from the moment that this has returned. */
    follow(): Promise<Events>;
    /** The messages of CTAPHID; without `secrets` there are zeros in their place. */
    trace(options?: { secrets?: boolean }): Promise<Events<Frame>>;
    /** Any method of the control protocol. */
    request(method: string, params?: Record<string, unknown>): Promise<any>;
}

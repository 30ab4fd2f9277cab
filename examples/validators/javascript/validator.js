// At most `per-minute` debits of one account within any minute; a debit that is refused does not count.
//
// The memo of an account holds the times of its counted debits, 8 bytes each, big-endian. The host keeps it: between
// two records this component may be thrown away.

const WINDOW = 60_000;
const MOST = 1_000;

let perMinute;
let exceptPrefix;

export const validation = {
  // A thrown value becomes the error that refuses the deployment.
  init(config) {
    const { "per-minute": limit, "except-prefix": except, ...others } = JSON.parse(config);
    const unknown = Object.keys(others);
    if (unknown.length > 0) throw `config: ${unknown[0]} is not a key; there are per-minute and except-prefix`;
    if (!Number.isInteger(limit) || limit < 1 || limit > MOST) throw `config: per-minute must be from 1 to ${MOST}`;
    if (except !== undefined && typeof except !== "string") throw "config: except-prefix must be a text";
    perMinute = limit;
    exceptPrefix = except;
  },

  validate(subject, memo) {
    const key = text(subject.key);
    if (key === null || (exceptPrefix !== undefined && key.startsWith(exceptPrefix)) || !isDebit(subject.value)) {
      return [null, memo];
    }
    const now = Number(subject.timestamp);
    const counted = times(memo).filter((time) => now - time < WINDOW);
    if (counted.length >= perMinute) {
      return [{ code: "too-fast", reason: `${counted.length} debits within a minute` }, bytes(counted)];
    }
    return [null, bytes([...counted, now])];
  },
};

function isDebit(value) {
  try {
    const message = JSON.parse(text(value));
    return message !== null && !Array.isArray(message) && message.type === "debit";
  } catch {
    return false;
  }
}

// QuickJS has no TextDecoder. `null` where there are no bytes, or none that are UTF-8.
function text(bytes) {
  if (bytes === null || bytes === undefined) return null;
  let latin = "";
  for (let i = 0; i < bytes.length; i += 4096) latin += String.fromCharCode(...bytes.subarray(i, i + 4096));
  try {
    return decodeURIComponent(escape(latin));
  } catch {
    return null;
  }
}

function times(memo) {
  if (memo === null || memo === undefined) return [];
  const view = new DataView(memo.buffer, memo.byteOffset, memo.byteLength);
  const list = [];
  for (let i = 0; i + 8 <= memo.byteLength; i += 8) list.push(Number(view.getBigInt64(i)));
  return list;
}

function bytes(list) {
  if (list.length === 0) return null;
  const view = new DataView(new ArrayBuffer(list.length * 8));
  list.forEach((time, i) => view.setBigInt64(i * 8, BigInt(time)));
  return new Uint8Array(view.buffer);
}

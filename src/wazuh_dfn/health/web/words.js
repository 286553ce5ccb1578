"use strict";

// How numbers, sizes, times are told; null is told as a dash.

const NOTHING = "-";
const whole = new Intl.NumberFormat("en");

function toldNumber(value) {
  return value === null ? NOTHING : whole.format(value);
}

function toldBytes(value) {
  if (value === null) return NOTHING;
  let size = value;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (Math.abs(size) < 1024) return `${size < 100 && unit !== "B" ? Number(size.toPrecision(3)) : Math.round(size)} ${unit}`;
    size /= 1024;
  }
  return `${size.toFixed(1)} TiB`;
}

function toldDuration(seconds) {
  if (seconds === null) return NOTHING;
  if (seconds > 0 && seconds < 0.0995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95 && !Number.isInteger(seconds)) return `${Math.max(seconds, 0).toFixed(1)} s`;
  const rounded = Math.max(Math.round(seconds), 0);
  if (rounded < 60) return `${rounded} s`;
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = parts.findIndex(([size]) => rounded >= size);
  return parts.slice(first, first + 2).map(([size, unit], place) => {
    const count = Math.floor((place ? rounded % parts[first][0] : rounded) / size);
    return place && !count ? "" : `${count} ${unit}`;
  }).filter(Boolean).join(" ");
}

function toldAge(seconds) {
  return seconds === null ? NOTHING : `${toldDuration(seconds)} ago`;
}

function toldRate(perSecond) {
  const digits = perSecond === 0 || perSecond >= 99.95 ? 0 : perSecond >= 9.995 ? 1 : 2;
  return perSecond > 0 && perSecond < 0.005 ? "< 0.01" : whole.format(Number(perSecond.toFixed(digits)));
}

function toldClock(time, withSeconds = true) {
  const options = {hour: "2-digit", minute: "2-digit", ...(withSeconds && {second: "2-digit"})};
  return new Date(time).toLocaleTimeString("en-GB", options);
}

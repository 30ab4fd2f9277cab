//! Times as RFC 3339 has them.

/// Microseconds since the Unix epoch, UTC, to the millisecond.
pub fn rfc3339(us: u64) -> String {
    let (secs, ms) = (us / 1_000_000, us / 1_000 % 1_000);
    let (days, rest) = (secs / 86_400, secs % 86_400);
    // Howard Hinnant, "chrono-compatible low-level date algorithms": civil_from_days.
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + u64::from(month <= 2);
    let (h, m, s) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn times_are_as_the_calendar_has_them() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_826_154_321_000), "2000-02-29T12:09:14.321Z");
        assert_eq!(rfc3339(1_798_761_599_999_999), "2026-12-31T23:59:59.999Z");
    }
}

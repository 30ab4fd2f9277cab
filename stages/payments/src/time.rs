//! RFC 3339 times to and from milliseconds since the Unix epoch.

const DAY: i64 = 86_400_000;

/// The instant that `text` names, to the millisecond. None: not RFC 3339, or without a zone.
pub fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (date, rest) = bytes.split_at_checked(10)?;
    let (&separator, rest) = rest.split_first()?;
    let (clock, rest) = rest.split_at_checked(8)?;
    if date[4] != b'-' || date[7] != b'-' || !matches!(separator, b'T' | b't') || clock[2] != b':' || clock[5] != b':' {
        return None;
    }
    let (year, month, day) = (number(&date[..4])?, number(&date[5..7])?, number(&date[8..])?);
    let (hour, minute, second) = (number(&clock[..2])?, number(&clock[3..5])?, number(&clock[6..])?);
    // A leap second is written as 60 and counted as the next minute's first.
    if !(1..=12).contains(&month)
        || !(1..=days_of(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let (millis, zone) = fraction(rest)?;
    let offset = offset(zone)?;
    let seconds = (hour * 60 + minute) * 60 + second;
    Some(days_from_civil(year, month, day) * DAY + seconds * 1_000 + millis - offset * 60_000)
}

/// `2026-11-22T23:01:00.250Z`; without the fraction when it is zero.
pub fn format(at: i64) -> String {
    let in_day = at.rem_euclid(DAY);
    let (hour, minute, second, millis) = (
        in_day / 3_600_000,
        in_day / 60_000 % 60,
        in_day / 1_000 % 60,
        in_day % 1_000,
    );
    let day = day(at);
    match millis {
        0 => format!("{day}T{hour:02}:{minute:02}:{second:02}Z"),
        _ => format!("{day}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"),
    }
}

/// The day in UTC: `2026-11-22`.
pub fn day(at: i64) -> String {
    let (year, month, day) = civil_from_days(at.div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02}")
}

/// The beginning of the minute in which `at` lies.
pub fn minute(at: i64) -> i64 {
    at - at.rem_euclid(60_000)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    })
}

/// Milliseconds of an optional fraction, finer digits cut off, and what follows it.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(rest) = rest.strip_prefix(b".") else {
        return Some((0, rest));
    };
    let length = rest.iter().take_while(|digit| digit.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let millis = (0..3).fold(0, |millis, place| {
        millis * 10
            + if place < length {
                i64::from(rest[place] - b'0')
            } else {
                0
            }
    });
    Some((millis, &rest[length..]))
}

/// Minutes east of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, rest) = zone.split_first()?;
    let sign = match sign {
        b'Z' | b'z' => return rest.is_empty().then_some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    if rest.len() != 5 || rest[2] != b':' {
        return None;
    }
    let (hours, minutes) = (number(&rest[..2])?, number(&rest[3..])?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since the epoch (Howard Hinnant, "chrono-compatible low-level date algorithms": years begin in March).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read() {
        for (text, at) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01t00:00:00.5z", 500),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2026-11-22T23:01:02.345678Z", 1_795_388_462_345),
            ("2026-11-23T01:31:02.345+02:30", 1_795_388_462_345),
            ("2026-11-22T15:01:02.345-08:00", 1_795_388_462_345),
            ("2000-02-29T12:00:00Z", 951_825_600_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
        ] {
            assert_eq!(parse(text), Some(at), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-11-22",
            "2026-11-22T23:01:02",
            "2026-11-22 23:01:02Z",
            "2026-11-22T23:01Z",
            "2026-11-22T23:01:02.Z",
            "2026-11-22T23:01:02+0100",
            "2026-11-22T23:01:02+24:00",
            "2026-11-22T23:01:02Zz",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T23:60:00Z",
            "2026-11-22T23:01:61Z",
            "+026-11-22T23:01:02Z",
            "2026-11-22T23:01:0é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        assert_eq!(format(1_795_388_462_345), "2026-11-22T23:01:02.345Z");
        assert_eq!(format(1_795_388_462_000), "2026-11-22T23:01:02Z");
        assert_eq!(day(-1), "1969-12-31");
        assert_eq!(minute(119_999), 60_000);
        let mut at = -62_135_596_800_000;
        while at < 253_402_300_799_000 {
            assert_eq!(parse(&format(at)), Some(at), "{}", format(at));
            at += 86_400_000 * 11 + 12_345_677;
        }
    }
}

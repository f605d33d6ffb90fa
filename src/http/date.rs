//! IMF-fixdate, the date of HTTP (RFC 9110 section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
//!
//! Owns the calendar; what time it is and how often that is rendered is the caller's. The names
//! are English whatever the locale, which is why this is not left to the C library.

#![forbid(unsafe_code)]

const DAYS: [&[u8; 3]; 7] = [b"Sun", b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// The date and time of `unix_seconds` (seconds since 1970 in UTC, leap seconds not counted);
/// `None` outside the years 0 to 9999, which is what four digits can say.
pub fn imf_fixdate(unix_seconds: i64) -> Option<[u8; 29]> {
    let days = unix_seconds.div_euclid(86_400);
    let second_of_day = unix_seconds.rem_euclid(86_400) as u32;
    let (year, month, day) = civil_date(days)?;
    // 1970-01-01 was a Thursday.
    let weekday = (days + 4).rem_euclid(7) as usize;

    let mut date = *b"---, -- --- ---- --:--:-- GMT";
    date[0..3].copy_from_slice(DAYS[weekday]);
    put_two(&mut date, 5, day);
    date[8..11].copy_from_slice(MONTHS[month]);
    put_two(&mut date, 12, year / 100);
    put_two(&mut date, 14, year % 100);
    put_two(&mut date, 17, second_of_day / 3600);
    put_two(&mut date, 20, second_of_day / 60 % 60);
    put_two(&mut date, 23, second_of_day % 60);
    Some(date)
}

fn put_two(date: &mut [u8; 29], at: usize, number: u32) {
    date[at] = b'0' + (number / 10) as u8;
    date[at + 1] = b'0' + (number % 10) as u8;
}

/// Year, month from 0, and day from 1 of the proleptic Gregorian calendar.
///
/// Years are counted from 1 March, so that the leap day is a year's last: then the day of the year
/// gives the month by one division (the months from March on have 31 30 31 30 31 days, twice and a
/// bit: 153 days in five months). 400 years have 146,097 days; day 0 is 0000-03-01.
fn civil_date(days_since_1970: i64) -> Option<(u32, usize, u32)> {
    const DAYS_BEFORE_1970: i64 = 719_468;
    let days = days_since_1970.checked_add(DAYS_BEFORE_1970)?;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = era * 400 + year_of_era + i64::from(month < 2);
    let year = u32::try_from(year).ok().filter(|&year| year <= 9999)?;
    Some((year, month as usize, day as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(unix_seconds: i64) -> String {
        String::from_utf8(imf_fixdate(unix_seconds).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn known_dates() {
        assert_eq!(text(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(text(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(text(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
        assert_eq!(text(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(text(4_107_542_400), "Mon, 01 Mar 2100 00:00:00 GMT");
        assert_eq!(text(253_402_300_799), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(text(-62_167_219_200), "Sat, 01 Jan 0000 00:00:00 GMT");
    }

    #[test]
    fn years_of_other_than_four_digits_have_no_date() {
        for seconds in [253_402_300_800, -62_167_219_201, i64::MAX, i64::MIN] {
            assert_eq!(imf_fixdate(seconds), None);
        }
    }

    /// Walks through all days of the years 0 to 9999 with a calendar that only counts.
    #[test]
    fn every_day_follows_the_one_before() {
        let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let mut days = -719_528;
        for year in 0..=9999 {
            let february = if leap(year) { 29 } else { 28 };
            let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            for (month, length) in lengths.into_iter().enumerate() {
                for day in 1..=length {
                    assert_eq!(civil_date(days), Some((year as u32, month, day)));
                    days += 1;
                }
            }
        }
        assert_eq!(civil_date(days), None);
    }
}

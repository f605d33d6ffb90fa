//! What the operating system allows this process.

/// How many descriptors the process may have open (`RLIMIT_NOFILE`, the soft limit). `u64::MAX`:
/// there is no limit, or it cannot be had.
pub fn descriptor_limit() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel fills `limit` in.
    let outcome: std::io::Result<_> =
        unsafe { syscall!(getrlimit(libc::RLIMIT_NOFILE, &raw mut limit)) };
    match outcome {
        // Signed on FreeBSD.
        Ok(_) if limit.rlim_cur != libc::RLIM_INFINITY => limit.rlim_cur as _,
        _ => u64::MAX,
    }
}

/// Whether a call failed because no descriptor was left, of the process's or of the system's.
pub fn no_descriptor_left(error: &std::io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE) | Some(libc::ENFILE)
    )
}

#[cfg(test)]
mod tests {
    use super::descriptor_limit;
    use std::process::Command;

    #[test]
    fn it_is_the_soft_limit_as_the_shell_sees_it() {
        let output = Command::new("sh")
            .args(["-c", "ulimit -Sn"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let expected = text.trim().parse().unwrap_or(u64::MAX); // "unlimited"
        assert_eq!(descriptor_limit(), expected);
    }
}

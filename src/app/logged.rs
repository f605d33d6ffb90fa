//! What the access log has of an application's side of a request: variables of its environ.

#![forbid(unsafe_code)]

use crate::app::exchange::Exchange;
use crate::py::{Exception, Gil, Object, Owned, Result, text};

/// The names of the variables; none without a log.
#[derive(Default)]
pub struct Logged {
    /// The variables, each as the format has it and in upper case.
    variables: Vec<(Owned, Owned)>,
    /// Whether the format needs the head of a response.
    pub wants_head: bool,
}

impl Logged {
    /// For variables of these names.
    pub fn new(gil: Gil<'_>, variables: &[Vec<u8>], wants_head: bool) -> Result<Logged> {
        let variables = variables
            .iter()
            .map(|name| {
                let upper = name.to_ascii_uppercase();
                Ok((text::native(gil, name)?, text::native(gil, &upper)?))
            })
            .collect::<Result<_>>()?;
        Ok(Logged {
            variables,
            wants_head,
        })
    }
}

/// Takes the variables, when the application has returned or raised.
pub fn take_variables(
    gil: Gil<'_>,
    logged: &Logged,
    environ: &Object,
    exchange: &mut Exchange,
    result: Result<Owned>,
) -> Result<Owned> {
    let variables = &logged.variables;
    if variables.is_empty() {
        return result;
    }
    // What follows may run Python code, which must not see the exception.
    let result = result.map_err(|raised| Exception::take(gil, raised));
    exchange.logged = variables
        .iter()
        .map(|(name, upper)| {
            let value = environ.dict_get(gil, name);
            content(gil, &*value.or_else(|| environ.dict_get(gil, upper))?)
        })
        .collect();
    result.map_err(|exception| exception.restore(gil))
}

fn content(gil: Gil<'_>, value: &Object) -> Option<Vec<u8>> {
    if let Some(bytes) = text::latin1(gil, value) {
        return Some(bytes.to_vec());
    }
    match text::display(gil, value) {
        Ok(bytes) => Some(bytes),
        Err(raised) => {
            raised.clear(gil);
            None
        }
    }
}

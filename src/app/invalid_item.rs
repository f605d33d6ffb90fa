//! Items and results of an application that cannot be sent: warned of, ignored or raised for.

#![forbid(unsafe_code)]

use crate::app::console;
use crate::dialect::InvalidItem;
use crate::py::{Gil, Kind, Object, Raised, Result};

/// An item that is not bytes; `kind` is what it is an item of.
pub fn item(
    gil: Gil<'_>,
    policy: InvalidItem,
    item: &Object,
    index: usize,
    kind: &str,
) -> Result<()> {
    match policy {
        InvalidItem::Warn => {
            let line =
                format!("The item {index} of your {kind} is not a string!!!!  It will be skipped");
            console::print_line(gil, &line);
            Ok(())
        }
        InvalidItem::Ignore => Ok(()),
        InvalidItem::Raise => {
            let class = item.class_name(gil)?;
            let message = format!("item {index} of the response must be bytes, not {class}");
            Err(Raised::new(gil, Kind::TypeError, &message))
        }
    }
}

/// A result that is nothing that could be sent.
pub fn result(gil: Gil<'_>, policy: InvalidItem, result: &Object) -> Result<()> {
    match policy {
        InvalidItem::Warn => {
            console::print_line(
                gil,
                "wsgi output of is neither a list, neither a fileobject, \
                 neither an iterable object!!!!!",
            );
            Ok(())
        }
        InvalidItem::Ignore => Ok(()),
        InvalidItem::Raise => {
            let class = result.class_name(gil)?;
            let message = format!("the application must return an iterable of bytes, not {class}");
            Err(Raised::new(gil, Kind::TypeError, &message))
        }
    }
}

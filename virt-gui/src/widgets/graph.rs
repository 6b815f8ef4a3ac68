//! A graph of the last minute: a line from the left to the right, the newest value at the right edge.
//! Screen readers get it as text.

use gtk::cairo;
use gtk::prelude::*;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// How many values are kept: a minute, with one a second.
const VALUES: usize = 60;

/// The width of the line, in pixels.
const LINE: f64 = 2.0;

/// How much of the line's colour is in the area beneath it.
const AREA: f32 = 0.15;

type Values = Rc<RefCell<VecDeque<Option<f64>>>>;

/// The graph.
#[derive(Debug)]
pub struct Graph {
    area: gtk::DrawingArea,
    values: Values,
}

impl Default for Graph {
    /// An empty graph.
    fn default() -> Self {
        let area = gtk::DrawingArea::builder()
            .accessible_role(gtk::AccessibleRole::Img)
            .content_height(48)
            .hexpand(true)
            .css_classes(["graph"])
            .build();
        let values = Values::default();
        area.set_draw_func({
            let values = Rc::clone(&values);
            move |area, context, width, height| {
                let drawn = draw(area, context, (f64::from(width), f64::from(height)), &values.borrow());
                if let Err(error) = drawn {
                    tracing::debug!(%error, "a graph could not be drawn");
                }
            }
        });
        Self { area, values }
    }
}

impl Graph {
    /// The widget.
    pub fn widget(&self) -> &gtk::DrawingArea {
        &self.area
    }

    /// Adds a value between 0 and 1, or a gap, and says what the graph now shows.
    pub fn push(&self, value: Option<f64>, words: &str) {
        let mut values = self.values.borrow_mut();
        values.push_back(value.map(|value| value.clamp(0.0, 1.0)));
        if values.len() > VALUES {
            values.pop_front();
        }
        self.area.update_property(&[gtk::accessible::Property::Label(words)]);
        self.area.queue_draw();
    }

    /// Takes all values away.
    pub fn clear(&self) {
        self.values.borrow_mut().clear();
        self.area.queue_draw();
    }
}

/// Where the values stand in an area of this size: lines without a gap, from the oldest to the newest.
fn lines(values: &VecDeque<Option<f64>>, (width, height): (f64, f64)) -> Vec<Vec<(f64, f64)>> {
    let step = width / (VALUES - 1) as f64;
    let mut lines = vec![Vec::new()];
    for (age, value) in values.iter().rev().enumerate() {
        match (value, lines.last_mut()) {
            (Some(value), Some(line)) => {
                // The line's own width is within the area.
                let y = LINE / 2.0 + (height - LINE) * (1.0 - value);
                line.push((width - age as f64 * step, y));
            }
            (None, _) => lines.push(Vec::new()),
            (Some(_), None) => {}
        }
    }
    lines.retain(|line| line.len() > 1);
    lines
}

fn draw(
    area: &gtk::DrawingArea,
    context: &cairo::Context,
    size: (f64, f64),
    values: &VecDeque<Option<f64>>,
) -> Result<(), cairo::Error> {
    let colour = area.style_context().color();
    let set = |alpha: f32| {
        let part = |value: f32| f64::from(value);
        context.set_source_rgba(part(colour.red()), part(colour.green()), part(colour.blue()), part(alpha));
    };
    context.set_line_width(LINE);
    context.set_line_join(cairo::LineJoin::Round);
    // What is full, and what is nothing.
    set(colour.alpha() * AREA);
    context.move_to(0.0, size.1 - 0.5);
    context.line_to(size.0, size.1 - 0.5);
    context.stroke()?;
    for line in lines(values, size) {
        let (Some(newest), Some(oldest)) = (line.first(), line.last()) else { continue };
        let trace = || line.iter().for_each(|(x, y)| context.line_to(*x, *y));
        set(colour.alpha() * AREA);
        context.move_to(newest.0, size.1);
        trace();
        context.line_to(oldest.0, size.1);
        context.close_path();
        context.fill()?;
        set(colour.alpha());
        trace();
        context.stroke()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::with_display;

    #[test]
    fn values_stand_from_the_right_edge_on_within_the_area() {
        let values: VecDeque<_> = [Some(0.5), None, Some(0.0), Some(1.0)].into();
        let found = lines(&values, (118.0, 50.0));
        assert_eq!(found, [vec![(118.0, 1.0), (116.0, 49.0)]], "one value alone is no line");
        let full: VecDeque<_> = (0..VALUES).map(|_| Some(0.3)).collect();
        let found = lines(&full, (118.0, 50.0));
        assert_eq!((found.len(), found[0].len()), (1, VALUES));
        assert!(found[0].iter().all(|(x, y)| (-0.01..=118.0).contains(x) && (0.0..=50.0).contains(y)));
        assert_eq!(lines(&VecDeque::new(), (10.0, 10.0)), Vec::<Vec<_>>::new());
    }

    #[test]
    fn a_minute_is_kept() {
        with_display(|| {
            let graph = Graph::default();
            for value in 0..200 {
                graph.push(Some(f64::from(value)), "words");
            }
            assert_eq!(graph.values.borrow().len(), VALUES);
            assert!(graph.values.borrow().iter().all(|value| *value == Some(1.0)));
            graph.clear();
            assert!(graph.values.borrow().is_empty());
        });
    }
}

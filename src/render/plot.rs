//! Plots of shares over updates: in a terminal, and as SVG.
//!
//! **Invariants.** Numbers and names in, text out. What is not finite is left out. The same plot gives the same bytes.

use std::fmt::Write;

use super::text::safe;

/// What is drawn. The vertical axis goes from 0 to 1.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Above the plot.
    pub title: String,
    /// Below the horizontal axis.
    pub x_label: String,
    /// Beside the vertical axis.
    pub y_label: String,
    /// The name of the curve.
    pub curve_name: String,
    /// A curve, from left to right.
    pub curve: Vec<(f64, f64)>,
    /// The name of the spans.
    pub spans_name: String,
    /// Ranges beside the curve.
    pub spans: Vec<Span>,
}

/// A horizontal range at some height.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The height, from 0 to 1.
    pub y: f64,
    /// The left end.
    pub low: f64,
    /// What is marked.
    pub middle: f64,
    /// The right end.
    pub high: f64,
}

impl Span {
    fn is_finite(&self) -> bool {
        [self.y, self.low, self.middle, self.high].iter().all(|number| number.is_finite())
    }
}

impl Plot {
    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.curve.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite())
    }

    fn finite_spans(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter().filter(|span| span.is_finite())
    }

    /// The right end of the horizontal axis: a little more than the largest number.
    fn right(&self) -> f64 {
        let largest =
            self.points().map(|(x, _)| x).chain(self.finite_spans().map(|span| span.high)).fold(0.0, f64::max);
        if largest > 0.0 { largest * 1.02 } else { 1.0 }
    }

    /// Round numbers on the horizontal axis: 1, 2 or 5 times a power of ten apart.
    fn ticks(&self, most: usize) -> Vec<f64> {
        let right = self.right();
        let rough = right / most.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(10.0 * power);
        (0..=most).map(|number| number as f64 * step).take_while(|tick| *tick <= right).collect()
    }
}

/// A number of things in few characters: `1500`, `20 k`, `1.5 M`, `2e12`.
fn short(number: f64) -> String {
    let (scale, unit) = match number.abs() {
        size if size >= 1e12 || (size > 0.0 && size < 1e-3) => return format!("{number:e}"),
        size if size >= 1e9 => (1e9, " G"),
        size if size >= 1e6 => (1e6, " M"),
        size if size >= 1e4 => (1e3, " k"),
        _ => (1.0, ""),
    };
    // Ticks are round: more digits are rounding.
    let digits = format!("{:.4}", number / scale);
    format!("{}{unit}", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// The dots of a Braille letter: two columns, four rows.
const DOTS: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
/// So many columns stand left of the plot.
const MARGIN: usize = 8;

/// The plot in letters: the curve in Braille dots, spans as `├──●──┤`. Lines are at most so wide.
pub fn terminal(plot: &Plot, width: usize, height: usize) -> String {
    let (columns, rows) = (width.saturating_sub(MARGIN + 2).max(20), height.max(4));
    let right = plot.right();
    let column = |x: f64, of: usize| ((x / right * of as f64) as usize).min(of - 1);
    let row = |y: f64, of: usize| (((1.0 - y.clamp(0.0, 1.0)) * of as f64) as usize).min(of - 1);
    let mut dots = vec![vec![0u32; columns]; rows];
    let mut dot = |x: usize, y: usize| dots[y / 4][x / 2] |= DOTS[x % 2][y % 4];
    let points: Vec<(usize, usize)> = plot.points().map(|(x, y)| (column(x, 2 * columns), row(y, 4 * rows))).collect();
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let steps = x0.abs_diff(x1).max(y0.abs_diff(y1)).max(1);
        for step in 0..=steps {
            let between = |a: usize, b: usize| (a * (steps - step) + b * step + steps / 2) / steps;
            dot(between(x0, x1), between(y0, y1));
        }
    }
    let letter = |dots: &u32| if *dots == 0 { ' ' } else { char::from_u32(0x2800 + dots).unwrap_or(' ') };
    let mut grid: Vec<Vec<char>> = dots.iter().map(|row| row.iter().map(letter).collect()).collect();
    for span in plot.finite_spans() {
        let [low, middle, high] = [span.low, span.middle, span.high].map(|x| column(x, columns));
        let line = &mut grid[row(span.y, rows)];
        line[low..=high].fill('─');
        line[low] = '├';
        line[high] = '┤';
        line[middle] = '●';
    }
    let mut text = format!("{:MARGIN$}{}\n", "", safe(&plot.y_label));
    for (number, line) in grid.iter().enumerate() {
        let label = match number {
            0 => "100 %",
            number if number == rows / 2 => "50 %",
            _ => "",
        };
        let line: String = line.iter().collect();
        let _ = writeln!(text, "{label:>0$} │{1}", MARGIN - 2, line.trim_end());
    }
    let mut axis: Vec<char> = vec!['─'; columns];
    let mut labels = vec![' '; columns + 1];
    for tick in plot.ticks(4) {
        let at = column(tick, columns);
        axis[at] = '┴';
        let name: Vec<char> = short(tick).chars().collect();
        let from = at.saturating_sub(name.len() / 2).min(labels.len() - name.len().min(labels.len()));
        for (slot, letter) in labels[from..].iter_mut().zip(name) {
            *slot = letter;
        }
    }
    let (axis, labels): (String, String) = (axis.into_iter().collect(), labels.into_iter().collect());
    let _ = writeln!(text, "{:>1$} └{axis}", "0 %", MARGIN - 2);
    let _ = writeln!(text, "{:MARGIN$}{}", "", labels.trim_end());
    let mut legend = format!("⠉ {}", safe(&plot.curve_name));
    if plot.finite_spans().next().is_some() {
        let _ = write!(legend, "   ├─●─┤ {}", safe(&plot.spans_name));
    }
    let _ = writeln!(text, "{:MARGIN$}{}   {legend}", "", safe(&plot.x_label));
    text
}

/// The size of the picture, and where the plot lies in it.
const SIZE: (f64, f64) = (760.0, 460.0);
const LEFT: f64 = 80.0;
const TOP: f64 = 56.0;
const PLOT: (f64, f64) = (640.0, 320.0);

/// The plot as an SVG file of its own, for light and dark grounds alike: it brings its own.
pub fn svg(plot: &Plot) -> String {
    let right = plot.right();
    let x = |number: f64| LEFT + number / right * PLOT.0;
    let y = |number: f64| TOP + (1.0 - number.clamp(0.0, 1.0)) * PLOT.1;
    let (bottom, end) = (TOP + PLOT.1, LEFT + PLOT.0);
    let (title, x_label, y_label) = (escape(&plot.title), escape(&plot.x_label), escape(&plot.y_label));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n<title>{title}</title>\n\
         <rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"28\" font-size=\"15\" font-weight=\"bold\">{title}</text>\n",
        SIZE.0, SIZE.1
    );
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let (at, percent) = (y(tick), 100.0 * tick);
        let _ = writeln!(
            out,
            "<path d=\"M{LEFT} {at:.1}H{end}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{percent} %</text>",
            LEFT - 8.0,
            at + 4.0
        );
    }
    for tick in plot.ticks(8) {
        let at = x(tick);
        let _ = writeln!(
            out,
            "<path d=\"M{at:.1} {bottom}v5\" stroke=\"#222\"/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 20.0,
            short(tick)
        );
    }
    let _ = writeln!(
        out,
        "<path d=\"M{LEFT} {TOP}V{bottom}H{end}\" fill=\"none\" stroke=\"#222\"/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{x_label}</text>\n\
         <text transform=\"translate(24 {:.1}) rotate(-90)\" text-anchor=\"middle\">{y_label}</text>",
        LEFT + PLOT.0 / 2.0,
        bottom + 44.0,
        TOP + PLOT.1 / 2.0
    );
    let points: Vec<String> = plot.points().map(|(at, share)| format!("{:.2},{:.2}", x(at), y(share))).collect();
    let _ = writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#1f6fb4\" stroke-width=\"2\"><title>{}</title></polyline>",
        points.join(" "),
        escape(&plot.curve_name)
    );
    for span in plot.finite_spans() {
        let (low, middle, high, at) = (x(span.low), x(span.middle), x(span.high), y(span.y));
        let _ = writeln!(
            out,
            "<path d=\"M{low:.2} {0:.2}v10m0 -5H{high:.2}m0 -5v10\" fill=\"none\" stroke=\"#c1440e\" stroke-width=\"1.5\"/>\
             <circle cx=\"{middle:.2}\" cy=\"{at:.2}\" r=\"4\" fill=\"#c1440e\"/>",
            at - 5.0
        );
    }
    let mut names = vec![("#1f6fb4", &plot.curve_name)];
    names.extend(plot.finite_spans().next().map(|_| ("#c1440e", &plot.spans_name)));
    for (number, (color, name)) in names.into_iter().enumerate() {
        let at = LEFT + 300.0 * number as f64;
        let _ = writeln!(
            out,
            "<rect x=\"{at}\" y=\"{:.1}\" width=\"22\" height=\"3\" fill=\"{color}\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            SIZE.1 - 17.0,
            at + 30.0,
            SIZE.1 - 11.0,
            escape(name)
        );
    }
    out.push_str("</svg>\n");
    out
}

/// Text of XML: the five characters that mean something are written out.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in safe(text).chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => out.push(letter),
        }
    }
    out
}

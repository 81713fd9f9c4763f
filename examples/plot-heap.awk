# SPDX-License-Identifier: GPL-2.0-only
#
# plot-heap.awk: heapwatch's table to a picture of the heap over time.
#
#	awk -f svg.awk -f plot-heap.awk heap.txt >heap.svg

FNR > 1 {
	n++
	time[n] = $1 + 0
	objects[n] = $2 + 0
	live[n] = $3 + 0
	resident[n] = $4 * 4096 / 1048576
	reclaimed[n] = $5 + 0
	pause[n] = $7 + 0
	event[n] = $0
	sub(/^ *([^ ]+ +){7}/, "", event[n])
	if (NF < 8)
		event[n] = ""
}

function x_of(t)
{
	return left + (t - time[1]) / span * plot_width
}

function y_of(value)
{
	return top + plot_height * (1 - value / highest)
}

function maximum_of(values,	i, maximum)
{
	for (i = 1; i <= n; i++)
		if (values[i] > maximum)
			maximum = values[i]
	return maximum > 0 ? maximum : 1
}

# begin_panel(): frame, grid and vertical axis; sets top and highest
function begin_panel(title, values,	step, value)
{
	top += plot_height + gap
	highest = maximum_of(values)
	step = svg_step(highest, 4)
	highest = step * int(highest / step + 0.999)
	svg_text(left, top - 8, title, "font-weight=\"bold\"")
	for (value = 0; value <= highest * 1.001; value += step) {
		svg_line(left, y_of(value), left + plot_width, y_of(value),
			 "#e4e4e4")
		svg_text(left - 6, y_of(value) + 4, svg_number(value),
			 "text-anchor=\"end\"")
	}
}

# curve(): a line through the values; an area down to the axis if filled
function curve(values, colour, filled,	i, points)
{
	for (i = 1; i <= n; i++)
		points = points sprintf("%.1f,%.1f ", x_of(time[i]),
					y_of(values[i]))
	if (filled)
		printf "<polygon points=\"%.1f,%.1f %s%.1f,%.1f\" " \
			"fill=\"%s\" fill-opacity=\"0.35\"/>\n", left, y_of(0),
			points, x_of(time[n]), y_of(0), colour
	printf "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" " \
		"stroke-width=\"1.8\"/>\n", points, colour
}

function stems(values, colour,	i)
{
	for (i = 1; i <= n; i++) {
		svg_line(x_of(time[i]), y_of(0), x_of(time[i]),
			 y_of(values[i]), colour, "stroke-width=\"1.5\"")
		printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.2\" " \
			"fill=\"%s\"/>\n", x_of(time[i]), y_of(values[i]),
			colour
	}
}

function legend(x, text, colour, filled)
{
	svg_rect(x, top - 17, 14, 10, colour,
		 "fill-opacity=\"" (filled ? 0.35 : 1) "\" stroke=\"" colour "\"")
	svg_text(x + 20, top - 8, text)
}

function time_axis(	step, t)
{
	step = svg_step(span, 10)
	for (t = 0; t <= span; t += step) {
		svg_line(x_of(time[1] + t), top + plot_height,
			 x_of(time[1] + t), top + plot_height + 5, "#888")
		svg_text(x_of(time[1] + t), top + plot_height + 19, t,
			 "text-anchor=\"middle\"")
	}
	svg_text(left + plot_width / 2, top + plot_height + 38, "seconds",
		 "text-anchor=\"middle\"")
}

# events(): a line each through all panels, their texts in turn on rows
function events(first, last,	i, x, y, row)
{
	for (i = 1; i <= n; i++) {
		if (event[i] == "")
			continue
		x = x_of(time[i])
		y = first - 42 - 16 * (row++ % rows)
		svg_line(x, y + 3, x, last, "#c0392b",
			 "stroke-dasharray=\"3 3\"")
		if (x > left + plot_width * 0.7)
			svg_text(x - 4, y + 10, event[i],
				 "fill=\"#c0392b\" text-anchor=\"end\"")
		else
			svg_text(x + 4, y + 10, event[i], "fill=\"#c0392b\"")
	}
}

END {
	if (!n) {
		print "plot-heap: no rows" >"/dev/stderr"
		exit 1
	}
	left = 70
	gap = 42
	rows = 4
	plot_width = 860
	plot_height = 130
	first = 160
	top = first - plot_height - gap
	span = time[n] - time[1]
	if (span <= 0)
		span = 1

	svg_begin(left + plot_width + 30, first + 4 * (plot_height + gap) + 20)
	svg_text(left, 32, "An arena's heap over time",
		 "font-size=\"20\" font-weight=\"bold\"")
	svg_text(left, 52, "as of the end of a cycle of the collector, " \
		 n " cycles", "fill=\"#666\"")

	begin_panel("Memory, MiB", resident)
	curve(resident, "#2f7ebc", 1)
	curve(live, "#14406b", 0)
	legend(left + 150, "pages resident", "#2f7ebc", 1)
	legend(left + 280, "live objects", "#14406b", 0)
	begin_panel("Objects live", objects)
	curve(objects, "#3a923a", 1)
	begin_panel("Pages reclaimed, in all", reclaimed)
	curve(reclaimed, "#8c6bb1", 1)
	begin_panel("Pause, ms", pause)
	stems(pause, "#d9822b")
	time_axis()
	events(first, top + plot_height)
	svg_end()
}

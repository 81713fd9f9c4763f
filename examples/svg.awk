# SPDX-License-Identifier: GPL-2.0-only
#
# Drawing SVG: functions for the other scripts here (awk -f svg.awk -f OTHER).
# Written for any POSIX awk.

function svg_begin(width, height)
{
	print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" width \
		"\" height=\"" height "\" viewBox=\"0 0 " width " " height \
		"\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">"
	svg_rect(0, 0, width, height, "#ffffff")
}

function svg_end()
{
	print "</svg>"
}

function svg_rect(x, y, width, height, fill, attributes)
{
	printf "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" " \
		"fill=\"%s\" %s/>\n", x, y, width, height, fill, attributes
}

function svg_line(x1, y1, x2, y2, stroke, attributes)
{
	printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" " \
		"stroke=\"%s\" %s/>\n", x1, y1, x2, y2, stroke, attributes
}

function svg_text(x, y, text, attributes)
{
	gsub(/&/, "\\&amp;", text)
	gsub(/</, "\\&lt;", text)
	gsub(/>/, "\\&gt;", text)
	printf "<text x=\"%.1f\" y=\"%.1f\" %s>%s</text>\n", x, y, attributes,
		text
}

# svg_step(): 1, 2 or 5 times a power of ten, so that a few reach a maximum.
# Without log() and ^, which not every busybox has.
function svg_step(maximum, ticks,	step)
{
	step = 1
	while (step * ticks >= maximum)
		step /= 10
	while (step * 10 * ticks < maximum)
		step *= 10
	if (step * 2 * ticks >= maximum)
		return step * 2
	if (step * 5 * ticks >= maximum)
		return step * 5
	return step * 10
}

# svg_number(): short, with thousands as "k" and millions as "M"
function svg_number(n)
{
	if (n >= 1e6)
		return sprintf("%.4gM", n / 1e6)
	if (n >= 1e4)
		return sprintf("%.4gk", n / 1e3)
	return sprintf("%.4g", n)
}

#include "svg.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <fmt/format.h>

namespace bench {
namespace {

struct Point {
  int depth;
  double rate, limit;
};

// Lines of a panel, in the order in which they were measured.
struct Series {
  std::string name;
  std::vector<Point> points;
};

constexpr double panel_width = 560, panel_height = 300, left = 70, top = 50, legend_width = 250, gap = 75;
constexpr std::array<const char*, 8> colours = {"#1f6fb4", "#d4551d", "#2a8f4a", "#8b4fa8", "#b58900", "#c2336f", "#2aa198", "#5c5c5c"};

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : std::string(1, c);
  return out;
}

std::vector<Series> collect(const std::vector<Result>& results, bool prompts) {
  std::vector<Series> list;
  const auto differ = [&](auto member) {
    return std::ranges::any_of(results, [&](const Result& r) { return r.*member != results.front().*member; });
  };
  for (const Result& r : results) {
    if ((r.n_prompt > 0) != prompts) continue;
    std::string name =
        fmt::format("{} {} {}", prompts ? fmt::format("pp{}", r.n_prompt) : fmt::format("tg{}", r.n_gen), r.attention, r.cache());
    if (differ(&Result::threads)) name += fmt::format(" t{}", r.threads);
    if (differ(&Result::ubatch)) name += fmt::format(" ub{}", r.ubatch);
    auto series = std::ranges::find(list, name, &Series::name);
    if (series == list.end()) series = list.insert(list.end(), {name, {}});
    series->points.push_back({r.depth, r.tokens_per_second(), r.limit_tokens_per_second()});
  }
  return list;
}

// 1, 2 or 5 times a power of ten: about `wanted` of them make up `range`.
double tick_step(double range, int wanted) {
  const double rough = range / wanted, power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double step : {1.0, 2.0, 5.0})
    if (rough <= step * power) return step * power;
  return 10 * power;
}

// Where values lie in a panel.
class Scale {
 public:
  Scale(const std::vector<Series>& list, double y) : y_(y) {
    double largest = 0, deepest = 0;
    for (const Series& series : list)
      for (const Point& p : series.points)
        largest = std::max({largest, p.rate, p.limit}), deepest = std::max(deepest, static_cast<double>(p.depth));
    rate_step = tick_step(std::max(largest, 1e-9), 5);
    max_rate = std::ceil(largest / rate_step) * rate_step;
    max_depth = std::max(deepest, 1.0);
    depth_step = tick_step(max_depth, 8);
  }
  double x(double depth) const { return left + panel_width * depth / max_depth; }
  double y(double rate) const { return y_ + panel_height * (1 - rate / max_rate); }

  double max_rate, max_depth, rate_step, depth_step;

 private:
  double y_;
};

std::string axes(const Scale& scale, double y, const char* title) {
  std::string svg = fmt::format("<text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}</text>\n", left, y - 12, title);
  for (int i = 0; i * scale.rate_step <= scale.max_rate * 1.0001; ++i) {
    const double rate = i * scale.rate_step, at = scale.y(rate);
    svg += fmt::format("<line x1=\"{}\" y1=\"{:.1f}\" x2=\"{}\" y2=\"{:.1f}\" stroke=\"#dddddd\"/>\n", left, at, left + panel_width, at);
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:g}</text>\n", left - 8, at + 4, rate);
  }
  for (int i = 0; i * scale.depth_step <= scale.max_depth * 1.0001; ++i) {
    const double at = scale.x(i * scale.depth_step), base = y + panel_height;
    svg += fmt::format("<line x1=\"{:.1f}\" y1=\"{}\" x2=\"{:.1f}\" y2=\"{}\" stroke=\"#333333\"/>\n", at, base, at, base + 5);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.0f}</text>\n", at, base + 19, i * scale.depth_step);
  }
  svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#333333\"/>\n", left, y, panel_width,
                     panel_height);
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">depth: tokens in the cache</text>\n", left + panel_width / 2,
                     y + panel_height + 38);
  svg += fmt::format("<text transform=\"translate(16 {}) rotate(-90)\" text-anchor=\"middle\">tokens per second</text>\n",
                     y + panel_height / 2);
  return svg;
}

std::string polyline(const Series& series, const Scale& scale, double Point::* value, const char* style) {
  std::string points;
  for (const Point& p : series.points) points += fmt::format("{:.1f},{:.1f} ", scale.x(p.depth), scale.y(p.*value));
  return fmt::format("<polyline points=\"{}\" fill=\"none\" {}/>\n", points, style);
}

std::string panel(const std::vector<Series>& list, double y, const char* title) {
  const Scale scale(list, y);
  std::string svg = axes(scale, y, title);
  const double key = left + panel_width + 16;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const char* const colour = colours[i % colours.size()];
    svg +=
        polyline(list[i], scale, &Point::limit, fmt::format("stroke=\"{}\" stroke-width=\"1.3\" stroke-dasharray=\"6 4\"", colour).c_str());
    svg += polyline(list[i], scale, &Point::rate, fmt::format("stroke=\"{}\" stroke-width=\"2\"", colour).c_str());
    for (const Point& p : list[i].points)
      svg += fmt::format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"><title>{}, depth {}: {:.2f} tokens/s, limit {:.2f}</title></circle>\n",
          scale.x(p.depth), scale.y(p.rate), colour, escaped(list[i].name), p.depth, p.rate, p.limit);
    const double at = y + 12 + 20 * static_cast<double>(i);
    svg += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"{}\" stroke-width=\"2\"/>\n", key, at - 4, key + 24, at - 4,
                       colour);
    svg += fmt::format("<text x=\"{}\" y=\"{}\">{}</text>\n", key + 30, at, escaped(list[i].name));
  }
  const double at = y + 12 + 20 * static_cast<double>(list.size());
  svg += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"#333333\" stroke-dasharray=\"6 4\"/>\n", key, at - 4, key + 24,
                     at - 4);
  return svg + fmt::format("<text x=\"{}\" y=\"{}\">the machine's limit</text>\n", key + 30, at);
}

}  // namespace

std::string depth_plot(const std::vector<Result>& results) {
  std::vector<std::pair<const char*, std::vector<Series>>> panels;
  if (auto list = collect(results, true); !list.empty()) panels.emplace_back("Prompt processing", std::move(list));
  if (auto list = collect(results, false); !list.empty()) panels.emplace_back("Generation", std::move(list));
  const double width = left + panel_width + legend_width;
  double y = top + 25;
  std::string body;
  for (const auto& [title, list] : panels) {
    body += panel(list, y, title);
    y += std::max(panel_height, 20 * static_cast<double>(list.size() + 2)) + gap;
  }
  const Result& first = results.front();
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" "
             "font-size=\"12\" fill=\"#222222\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
             "<text x=\"{2}\" y=\"28\" font-size=\"16\">{3}: {4} threads, memory {5:.1f} GB/s, int8 {6:.0f} GOP/s, f32 {7:.0f} GOP/s</text>\n",
             width, y - 20, left, escaped(first.model), first.threads, first.machine->read_bytes * 1e-9,
             first.machine->int8_operations * 1e-9, first.machine->f32_operations * 1e-9) +
         body + "</svg>\n";
}

}  // namespace bench

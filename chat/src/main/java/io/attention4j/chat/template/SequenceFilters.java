package io.attention4j.chat.template;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Jinja2's filters on sequences. Where Jinja2 gives a generator, these give its list. */
final class SequenceFilters {
  private static final Set<String> NAMES =
      Set.of(
          "list",
          "first",
          "last",
          "join",
          "sort",
          "reverse",
          "sum",
          "max",
          "min",
          "unique",
          "map",
          "select",
          "reject",
          "selectattr",
          "rejectattr",
          "groupby",
          "batch");

  private SequenceFilters() {}

  static boolean exists(String name) {
    return NAMES.contains(name);
  }

  static Object apply(Run run, String name, Object value, Arguments arguments) {
    if (name.equals("reverse") && value instanceof String text) {
      return run.charge(new StringBuilder(text).reverse().toString());
    }
    List<?> items = Values.iterate(value);
    run.charge(items.size() + 1L);
    return switch (name) {
      case "list" -> new ArrayList<Object>(items);
      case "first" -> items.isEmpty() ? new Undefined("there is no first item") : items.get(0);
      case "last" ->
          items.isEmpty() ? new Undefined("there is no last item") : items.get(items.size() - 1);
      case "join" -> {
        arguments.only(name, "d", "attribute");
        Object attribute = arguments.get(1, "attribute", None.NONE);
        yield Filters.join(
            run,
            attribute == None.NONE ? items : attributes(run, items, attribute),
            Values.str(run, arguments.get(0, "d", "")),
            false);
      }
      case "sort" -> {
        arguments.only(name, "reverse", "case_sensitive", "attribute");
        List<Object> sorted = new ArrayList<>(items);
        Comparator<Object> order =
            order(
                run,
                arguments.get(2, "attribute", None.NONE),
                arguments.get(1, "case_sensitive", false));
        sorted.sort(Values.truth(arguments.get(0, "reverse", false)) ? order.reversed() : order);
        yield sorted;
      }
      case "reverse" -> Filters.reversed(items);
      case "sum" -> sum(run, items, arguments.only(name, "attribute", "start"));
      case "max", "min" -> {
        arguments.only(name, "case_sensitive", "attribute");
        Comparator<Object> order =
            order(
                run,
                arguments.get(1, "attribute", None.NONE),
                arguments.get(0, "case_sensitive", false));
        Object best = null;
        for (Object item : items) {
          int comparison = best == null ? 0 : order.compare(item, best);
          if (best == null || (name.equals("max") ? comparison > 0 : comparison < 0)) {
            best = item;
          }
        }
        yield best == null ? new Undefined("there is no item") : best;
      }
      case "unique" -> unique(run, items, arguments.only(name, "case_sensitive", "attribute"));
      case "map" -> map(run, items, arguments);
      case "select" -> filter(run, items, arguments, false, true);
      case "reject" -> filter(run, items, arguments, false, false);
      case "selectattr" -> filter(run, items, arguments, true, true);
      case "rejectattr" -> filter(run, items, arguments, true, false);
      case "groupby" -> groupBy(run, items, arguments.only(name, "attribute"));
      case "batch" -> batch(items, arguments.only(name, "linecount", "fill_with"));
      default -> throw new IllegalStateException("filter " + name + " is listed but missing");
    };
  }

  static Object foldCase(Object value, boolean sensitive) {
    return value instanceof String text && !sensitive ? text.toLowerCase(Locale.ROOT) : value;
  }

  private static List<Object> attributes(Run run, List<?> items, Object attribute) {
    List<Object> values = new ArrayList<>();
    for (Object item : items) {
      values.add(attribute(run, item, attribute));
    }
    return values;
  }

  /** {@code "a.b"} or an index, as Jinja2's make_attrgetter reads it. */
  private static Object attribute(Run run, Object item, Object path) {
    Object value = item;
    if (!(path instanceof String text)) {
      return run.evaluator().item(value, path);
    }
    for (String name : text.split("\\.", -1)) {
      if (value instanceof Undefined) {
        return value;
      }
      boolean index =
          !name.isEmpty() && name.length() < 10 && name.chars().allMatch(c -> c >= '0' && c <= '9');
      value = run.evaluator().item(value, index ? (Object) Long.parseLong(name) : name);
    }
    return value;
  }

  private static Comparator<Object> order(Run run, Object attribute, Object sensitive) {
    return Comparator.comparing(
        item ->
            foldCase(
                attribute == None.NONE ? item : attribute(run, item, attribute),
                Values.truth(sensitive)),
        (a, b) -> Values.compare(run, a, b));
  }

  private static Object sum(Run run, List<?> items, Arguments arguments) {
    Object attribute = arguments.get(0, "attribute", None.NONE);
    Object total = arguments.get(1, "start", 0L);
    for (Object item : attribute == None.NONE ? items : attributes(run, items, attribute)) {
      total = run.evaluator().binary("+", total, item);
    }
    return total;
  }

  private static List<Object> unique(Run run, List<?> items, Arguments arguments) {
    boolean sensitive = Values.truth(arguments.get(0, "case_sensitive", false));
    Object attribute = arguments.get(1, "attribute", None.NONE);
    Map<Object, Object> seen = new LinkedHashMap<>();
    for (Object item : items) {
      Object value = attribute == None.NONE ? item : attribute(run, item, attribute);
      seen.putIfAbsent(Values.key(foldCase(value, sensitive)), item);
    }
    return new ArrayList<>(seen.values());
  }

  private static List<Object> map(Run run, List<?> items, Arguments arguments) {
    List<Object> mapped = new ArrayList<>();
    Object attribute = arguments.named().get("attribute");
    if (arguments.positional().isEmpty() && attribute != null) {
      arguments.only("map", "attribute", "default");
      Object otherwise = arguments.named().get("default");
      for (Object item : items) {
        Object value = attribute(run, item, attribute);
        mapped.add(value instanceof Undefined && otherwise != null ? otherwise : value);
      }
      return mapped;
    }
    String filter = Values.text(arguments.required(0, "filter", "map"), "map's filter");
    Filters.check(filter);
    for (Object item : items) {
      mapped.add(Filters.apply(run, filter, item, arguments.skip(1)));
    }
    return mapped;
  }

  private static List<Object> filter(
      Run run, List<?> items, Arguments arguments, boolean byAttribute, boolean keep) {
    Object attribute = byAttribute ? arguments.required(0, "attribute", "selectattr") : None.NONE;
    Arguments rest = arguments.skip(byAttribute ? 1 : 0);
    String test =
        rest.positional().isEmpty() ? null : Values.text(rest.positional().get(0), "a test's name");
    if (test != null) {
      Tests.check(test);
    }
    List<Object> kept = new ArrayList<>();
    for (Object item : items) {
      Object value = byAttribute ? attribute(run, item, attribute) : item;
      boolean holds =
          test == null ? Values.truth(value) : Tests.apply(run, test, value, rest.skip(1));
      if (holds == keep) {
        kept.add(item);
      }
    }
    return kept;
  }

  private static List<Object> groupBy(Run run, List<?> items, Arguments arguments) {
    Object attribute = arguments.required(0, "attribute", "groupby");
    List<Object> sorted = new ArrayList<>(items);
    sorted.sort(order(run, attribute, false));
    Map<Object, List<Object>> groups = new LinkedHashMap<>();
    for (Object item : sorted) {
      Object value = attribute(run, item, attribute);
      groups.computeIfAbsent(Values.key(value), k -> new ArrayList<>()).add(item);
    }
    List<Object> result = new ArrayList<>();
    groups.forEach((key, members) -> result.add(new Tuple(List.of(key, members))));
    return result;
  }

  private static List<Object> batch(List<?> items, Arguments arguments) {
    long size = Values.integer(arguments.required(0, "linecount", "batch"), "a batch's size");
    if (size < 1) {
      throw new TemplateException("a batch has " + size + " items; it must have at least 1");
    }
    Object fill = arguments.get(1, "fill_with", None.NONE);
    List<Object> batches = new ArrayList<>();
    for (long from = 0; from < items.size(); from += size) {
      List<Object> batch =
          new ArrayList<>(items.subList((int) from, (int) Math.min(items.size(), from + size)));
      while (fill != None.NONE && batch.size() < Math.min(size, 10_000)) {
        batch.add(fill);
      }
      batches.add(batch);
    }
    return batches;
  }
}

package io.attention4j.chat.template;

import java.util.ArrayList;
import java.util.List;

/** The {@code loop} variable. */
final class Loop {
  private final Run run;
  private final List<?> items;
  private int index;
  private List<Object> lastChanged;

  /** Before the first item. */
  Loop(Run run, List<?> items) {
    this.run = run;
    this.items = items;
  }

  void moveTo(int index) {
    this.index = index;
  }

  /** The attribute's value, or null where there is none. */
  Object attribute(String name) {
    return switch (name) {
      case "index" -> index + 1L;
      case "index0" -> (long) index;
      case "revindex" -> (long) items.size() - index;
      case "revindex0" -> items.size() - index - 1L;
      case "first" -> index == 0;
      case "last" -> index == items.size() - 1;
      case "length" -> (long) items.size();
      // Jinja2 counts recursive loops alone, which are not supported.
      case "depth" -> 1L;
      case "depth0" -> 0L;
      case "previtem" ->
          index > 0 ? items.get(index - 1) : new Undefined("there is no previous item");
      case "nextitem" ->
          index + 1 < items.size() ? items.get(index + 1) : new Undefined("there is no next item");
      case "cycle" ->
          (Callable)
              arguments -> {
                if (arguments.positional().isEmpty()) {
                  throw new TemplateException("loop.cycle needs an argument");
                }
                return arguments.positional().get(index % arguments.positional().size());
              };
      case "changed" ->
          (Callable)
              arguments -> {
                boolean changed =
                    lastChanged == null || !Values.equal(run, lastChanged, arguments.positional());
                lastChanged = new ArrayList<>(arguments.positional());
                return changed;
              };
      default -> null;
    };
  }
}

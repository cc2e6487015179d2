package io.attention4j.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The root command: lists the subcommands. */
@Command(
    name = "attention4j",
    description = "Decodes language models in this JVM, with an attention of your choice.",
    scope = ScopeType.INHERIT,
    mixinStandardHelpOptions = true,
    versionProvider = Main.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    sortOptions = false,
    usageHelpAutoWidth = false,
    usageHelpWidth = Main.HELP_WIDTH,
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {
      "  0:done",
      "  1:the data or the machine is at fault: a bad file, a prompt longer than the context, not"
          + " enough memory",
      "  2:wrong usage: an unknown option or name, a value out of range",
      "130:interrupted",
      "141:the reader of stdout went away"
    })
public final class Main implements Runnable {
  static final int HELP_WIDTH = 100;

  /** In the order of {@code --help}. */
  private static final Map<String, Supplier<Object>> COMMANDS = commands();

  @Spec private CommandSpec spec;

  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "Print the stack trace of an error.")
  private boolean debug;

  /** Runs the command and ends the JVM with its exit status, which {@code --help} lists. */
  public static void main(String[] args) {
    StandardError.attach();
    System.exit(run(commandLine(args).setOut(StandardOutput.writer()), args));
  }

  /** Runs the command; whatever is thrown ends as a sentence and a status. */
  static int run(CommandLine line, String... args) {
    try {
      int status = line.execute(args);
      line.getOut().flush();
      return status;
    } catch (RuntimeException e) { // from flush
      return Errors.report(e, line, line.<Main>getCommand().debug);
    }
  }

  private static Map<String, Supplier<Object>> commands() {
    Map<String, Supplier<Object>> commands = new LinkedHashMap<>();
    commands.put("generate", GenerateCommand::new);
    commands.put("chat", ChatCommand::new);
    commands.put("bench", BenchCommand::new);
    commands.put("perplexity", PerplexityCommand::new);
    commands.put("inspect", InspectCommand::new);
    commands.put("tokenize", TokenizeCommand::new);
    commands.put("quantize", QuantizeCommand::new);
    commands.put("convert", ConvertCommand::new);
    commands.put("razor-heads", RazorHeadsCommand::new);
    commands.put("seer-distill", SeerDistillCommand::new);
    commands.put("act-heads", ActHeadsCommand::new);
    commands.put("doctor", DoctorCommand::new);
    commands.put("conformance", ConformanceCommand::new);
    return commands;
  }

  /**
   * The command line for these arguments. If they begin with a command, it knows that one alone:
   * reading the annotations of all others would delay the first token by a tenth of a second.
   */
  static CommandLine commandLine(String... args) {
    Main main = new Main();
    CommandLine line = new CommandLine(main);
    if (args.length > 0 && COMMANDS.containsKey(args[0])) {
      line.addSubcommand(COMMANDS.get(args[0]).get());
    } else {
      COMMANDS.values().forEach(command -> line.addSubcommand(command.get()));
    }
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setExecutionStrategy(
        parsed -> {
          try {
            return new CommandLine.RunLast().execute(parsed);
          } catch (ParameterException | CommandLine.ExecutionException e) {
            throw e; // for the two handlers below
          } catch (RuntimeException | Error e) { // picocli would print a stack trace
            return Errors.report(e, line, main.debug);
          }
        });
    line.setExecutionExceptionHandler(
        (exception, command, parsed) -> Errors.report(exception, command, main.debug));
    line.setParameterExceptionHandler((exception, _) -> Errors.reportUsage(exception));
    return line;
  }

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "no command; one of " + spec.subcommands().keySet());
  }

  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = Main.class.getPackage().getImplementationVersion();
      return new String[] {"attention4j " + (version == null ? "(not packaged)" : version)};
    }
  }
}

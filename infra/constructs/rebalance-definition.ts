/**
 * The rebalance state machine's definition (ASL, JSONata), as a plain function that is tested without
 * synthesis.
 *
 * Plan → Reshard (repeated until done) → CheckOwned (until every open shard has an owner) → Scale (if
 * requested) → CheckConverged (until even) → Done. The resharder counts the rounds; this definition limits
 * them.
 */
export interface RebalanceDefinitionProps {
  readonly resharderFunctionArn: string;
  readonly clusterName: string;
  readonly consumerServiceName: string;
}

/** Each round is up to 5 minutes of splitting: about ten splits on AWS. */
export const MAX_RESHARD_ROUNDS = 100;
/** Checks, one second apart. */
export const MAX_CHECK_ROUNDS = 300;
/**
 * A shorter limit when tasks are about to be added: the caps of the present fleet may leave shards unowned.
 */
export const MAX_CHECK_ROUNDS_BEFORE_SCALE = 20;
export const TIMEOUT_SECONDS = 4 * 3600;

/** Every value is an expression over the answer of the last task, or over variables assigned earlier. */
export function rebalanceDefinition(props: RebalanceDefinitionProps) {
  const call = (action: string, payload: object, assign: string) => ({
    Type: "Task",
    Resource: "arn:aws:states:::lambda:invoke",
    Arguments: { FunctionName: props.resharderFunctionArn, Payload: { action, ...payload } },
    Assign: { [assign]: "{% $states.result.Payload %}" },
    TimeoutSeconds: 330,
    Retry: [
      // Permanent errors: an InvalidInput, a StalePlan, a reshard in progress, a plan that cannot be made.
      { ErrorEquals: ["InvalidInput", "StalePlan", "ReshardUnderWay", "UnplannableReshard"], MaxAttempts: 0 },
      // Every action is safe to repeat, so any other error is retried three times.
      {
        ErrorEquals: ["States.ALL"],
        IntervalSeconds: 1,
        BackoffRate: 2,
        MaxAttempts: 3,
        JitterStrategy: "FULL",
      },
    ],
    Catch: [
      { ErrorEquals: ["States.ALL"], Assign: { failure: "{% $states.errorOutput %}" }, Next: "Failed" },
    ],
  });
  const pause = (next: string) => ({ Type: "Wait", Seconds: 1, Next: next });
  const when = (condition: string, next: string) => ({ Condition: `{% ${condition} %}`, Next: next });

  return {
    Comment: "Reshards the stream and scales the consumers, and waits until the fleet is even again",
    QueryLanguage: "JSONata",
    StartAt: "Plan",
    TimeoutSeconds: TIMEOUT_SECONDS,
    States: {
      Plan: { ...call("plan", { input: "{% $states.input %}" }, "plan"), Next: "Accepted" },
      Accepted: { Type: "Choice", Choices: [when("$plan.accepted", "Begin")], Default: "Refused" },
      Refused: { Type: "Fail", Error: "{% $plan.errorName %}", Cause: "{% $plan.problem %}" },
      Begin: {
        Type: "Pass",
        Assign: {
          reshard: { round: 0, splits: 0, merges: 0, updates: 0 },
          owned: { round: 0 },
          converged: { round: 0 },
        },
        Next: "Reshard",
      },
      Reshard: {
        ...call("reshard", { plan: "{% $plan %}", previous: "{% $reshard %}" }, "reshard"),
        Next: "Resharded",
      },
      Resharded: {
        Type: "Choice",
        Choices: [
          when("$reshard.done", "CheckOwned"),
          when(`$reshard.round < ${MAX_RESHARD_ROUNDS}`, "Reshard"),
        ],
        Default: "ReshardUnfinished",
      },
      ReshardUnfinished: {
        Type: "Fail",
        Error: "ReshardUnfinished",
        Cause:
          "{% 'the stream has ' & $string($reshard.openShards) & ' open shards after the last round, ' & $string($plan.targetShards) & ' were wanted; start again to go on from there' %}",
      },
      CheckOwned: {
        ...call("checkOwned", { plan: "{% $plan %}", previous: "{% $owned %}" }, "owned"),
        Next: "Owned",
      },
      Owned: {
        Type: "Choice",
        Choices: [
          when("$owned.done", "ScaleWanted"),
          when(
            `$plan.targetTasks != null and $owned.round >= ${MAX_CHECK_ROUNDS_BEFORE_SCALE}`,
            "ScaleWanted",
          ),
          when(`$owned.round < ${MAX_CHECK_ROUNDS}`, "WaitForOwners"),
        ],
        Default: "ShardsUnowned",
      },
      WaitForOwners: pause("CheckOwned"),
      ShardsUnowned: { Type: "Fail", Error: "ShardsUnowned", Cause: "{% $owned.problem %}" },
      ScaleWanted: {
        Type: "Choice",
        Choices: [when("$plan.targetTasks != null", "Scale")],
        Default: "CheckConverged",
      },
      Scale: {
        Type: "Task",
        Resource: "arn:aws:states:::aws-sdk:ecs:updateService",
        Arguments: {
          Cluster: props.clusterName,
          Service: props.consumerServiceName,
          DesiredCount: "{% $plan.targetTasks %}",
        },
        Output: { desiredCount: "{% $plan.targetTasks %}" },
        TimeoutSeconds: 60,
        Retry: [
          {
            ErrorEquals: ["States.ALL"],
            IntervalSeconds: 1,
            BackoffRate: 2,
            MaxAttempts: 3,
            JitterStrategy: "FULL",
          },
        ],
        Catch: [
          { ErrorEquals: ["States.ALL"], Assign: { failure: "{% $states.errorOutput %}" }, Next: "Failed" },
        ],
        Next: "CheckConverged",
      },
      CheckConverged: {
        ...call("checkConverged", { plan: "{% $plan %}", previous: "{% $converged %}" }, "converged"),
        Next: "Converged",
      },
      Converged: {
        Type: "Choice",
        Choices: [
          when("$converged.done", "Done"),
          when(`$converged.round < ${MAX_CHECK_ROUNDS}`, "WaitForBalance"),
        ],
        Default: "NotConverged",
      },
      WaitForBalance: pause("CheckConverged"),
      NotConverged: { Type: "Fail", Error: "NotConverged", Cause: "{% $converged.problem %}" },
      Done: {
        // A Pass state: MiniStack ignores the Output of a Succeed state.
        Type: "Pass",
        End: true,
        Output: {
          plan: "{% $plan %}",
          done: {
            splits: "{% $reshard.splits %}",
            merges: "{% $reshard.merges %}",
            updates: "{% $reshard.updates %}",
            openShards: "{% $converged.openShards %}",
            tasks: "{% $plan.targetTasks %}",
            owners: "{% $converged.owners %}",
          },
          timings: {
            startedAtMillis: "{% $plan.startedAtMillis %}",
            reshardMillis: "{% $reshard.elapsedMillis %}",
            ownedMillis: "{% $owned.elapsedMillis %}",
            convergedMillis: "{% $converged.elapsedMillis %}",
          },
        },
      },
      Failed: { Type: "Fail", Error: "{% $failure.Error %}", Cause: "{% $failure.Cause %}" },
    },
  };
}

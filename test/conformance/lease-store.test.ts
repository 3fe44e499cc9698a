import { describeOnDynalite } from "./dynalite-lease-store.ts";

describeOnDynalite("DynamoDB adapter on dynalite", ({ client }) => client);
